/* Loaded before the C library: every fsync and fdatasync takes SLOW_SYNC_US microseconds longer. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void linger(void) {
    const char *said = getenv("SLOW_SYNC_US");
    struct timespec rest = {0, (said ? atol(said) : 0) * 1000};
    if (rest.tv_nsec) nanosleep(&rest, NULL);
}

int fsync(int file) { linger(); return (int)syscall(SYS_fsync, file); }
int fdatasync(int file) { linger(); return (int)syscall(SYS_fdatasync, file); }
