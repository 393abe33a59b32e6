/* Makes one folder behave as a mount that lacks locks, modes and links: flock, chmod, symlink and link
   below VIDEOMAE_POOR_MOUNT fail with the error numbers in VIDEOMAE_POOR_ERRORS ("flock=38 link=1 …").
   Loaded by LD_PRELOAD into every process of a test; nothing of the project uses it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refused(const char *call, const char *path) {
    const char *mount = getenv("VIDEOMAE_POOR_MOUNT"), *errors = getenv("VIDEOMAE_POOR_ERRORS");
    char absolute[2 * PATH_MAX], key[32];
    const char *found;
    if (!mount || !errors || !path) return 0;
    if (path[0] == '/') snprintf(absolute, sizeof absolute, "%s", path);
    else {
        char here[PATH_MAX];
        if (!getcwd(here, sizeof here)) return 0;
        snprintf(absolute, sizeof absolute, "%s/%s", here, path);
    }
    if (strncmp(absolute, mount, strlen(mount))) return 0;
    snprintf(key, sizeof key, "%s=", call);
    if (!(found = strstr(errors, key))) return 0;
    errno = atoi(found + strlen(key));
    return 1;
}

static int refused_file(const char *call, int file) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return refused(call, path);
}

#define REAL(name, ...) int (*real)(__VA_ARGS__) = (int (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

int flock(int file, int kind) {
    REAL(flock, int, int);
    return refused_file("flock", file) ? -1 : real(file, kind);
}
int chmod(const char *path, mode_t mode) {
    REAL(chmod, const char *, mode_t);
    return refused("chmod", path) ? -1 : real(path, mode);
}
int fchmod(int file, mode_t mode) {
    REAL(fchmod, int, mode_t);
    return refused_file("chmod", file) ? -1 : real(file, mode);
}
int fchmodat(int folder, const char *path, mode_t mode, int flags) {
    REAL(fchmodat, int, const char *, mode_t, int);
    return refused("chmod", path) ? -1 : real(folder, path, mode, flags);
}
int symlink(const char *target, const char *path) {
    REAL(symlink, const char *, const char *);
    return refused("symlink", path) ? -1 : real(target, path);
}
int symlinkat(const char *target, int folder, const char *path) {
    REAL(symlinkat, const char *, int, const char *);
    return refused("symlink", path) ? -1 : real(target, folder, path);
}
int link(const char *old, const char *path) {
    REAL(link, const char *, const char *);
    return refused("link", path) ? -1 : real(old, path);
}
int linkat(int from, const char *old, int to, const char *path, int flags) {
    REAL(linkat, int, const char *, int, const char *, int);
    return refused("link", path) ? -1 : real(from, old, to, path, flags);
}
