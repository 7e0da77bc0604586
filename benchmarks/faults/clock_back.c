/* A clock that goes back: put before the C library (LD_PRELOAD), it takes HOURS from the time of day, as every process
   of a command sees it, from the moment on at which the machine has been up for CLOCK_BACK_AT seconds. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HOURS (26 * 3600)

static time_t taken_off(void) {
    const char *at = getenv("CLOCK_BACK_AT");
    struct timespec up;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &up);
    return at != NULL && (double)up.tv_sec + 1e-9 * (double)up.tv_nsec >= atof(at) ? HOURS : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
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
