#ifndef LIB_VERSION_H
#define LIB_VERSION_H
/* The version of this tree, "0.1.0": --version, Health, Watch. */
const char *fab_version(void);

#endif
