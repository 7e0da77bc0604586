/* A clock that goes back: put before the C library (LD_PRELOAD), it takes HOURS from the time of day, as every process
   of a command sees it, from the moment on at which the machine has been up for CLOCK_BACK_AT seconds. The clock that it
   takes them from is the next one in line, whoever put that there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#define HOURS (26 * 3600)

static int next_in_line(clockid_t clock, struct timespec *now) {
    static int (*next)(clockid_t, struct timespec *);
    if (next == NULL) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    return next(clock, now);
}

static time_t taken_off(void) {
    const char *at = getenv("CLOCK_BACK_AT");
    struct timespec up;
    next_in_line(CLOCK_MONOTONIC, &up);
    return at != NULL && (double)up.tv_sec + 1e-9 * (double)up.tv_nsec >= atof(at) ? HOURS : 0;
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
