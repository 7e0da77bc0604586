/* A clock that goes back: put before the C library (LD_PRELOAD), it takes SECONDS_BACK from the time of day, as every
   process of a command sees it, from the moment on at which the file CLOCK_BACK_FILE is there. A process that has told
   the right time before then makes the file CLOCK_BACK_FILE.seen. The clock that it takes them from is the next one in
   line, whoever put that there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int next_in_line(clockid_t clock, struct timespec *now) {
    static int (*next)(clockid_t, struct timespec *);
    if (next == NULL) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    return next(clock, now);
}

static time_t taken_off(void) {
    static int asked, gone_back;
    int errno_before = errno;
    const char *file = getenv("CLOCK_BACK_FILE");
    if (!gone_back && file != NULL && access(file, F_OK) == 0) {
        char seen[PATH_MAX];
        gone_back = 1;
        if (asked && snprintf(seen, sizeof seen, "%s.seen", file) < (int)sizeof seen) {
            int made = open(seen, O_CREAT | O_WRONLY, 0600);
            if (made >= 0) close(made);
        }
    }
    asked = 1;
    errno = errno_before;
    return gone_back ? SECONDS_BACK : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = next_in_line(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec -= taken_off();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec time_of_day;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &time_of_day);
    now->tv_sec = time_of_day.tv_sec;
    now->tv_usec = time_of_day.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec time_of_day;
    clock_gettime(CLOCK_REALTIME, &time_of_day);
    if (now != NULL) *now = time_of_day.tv_sec;
    return time_of_day.tv_sec;
}
