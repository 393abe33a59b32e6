/* A user whom the system does not know, as in a container that runs under any number: no entry of any
   kind. Loaded by LD_PRELOAD into every process of a test; nothing of the project uses it. */
#include <pwd.h>
#include <stddef.h>

struct passwd *getpwuid(uid_t user) {
    (void)user;
    return NULL;
}
struct passwd *getpwnam(const char *name) {
    (void)name;
    return NULL;
}
int getpwuid_r(uid_t user, struct passwd *entry, char *buffer, size_t size, struct passwd **found) {
    (void)user, (void)entry, (void)buffer, (void)size;
    *found = NULL;
    return 0;
}
int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
               struct passwd **found) {
    (void)name, (void)entry, (void)buffer, (void)size;
    *found = NULL;
    return 0;
}
