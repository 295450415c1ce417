// The commit that the program was built from, as a constant of the build (Package.swift). A header, since SwiftPM gives Swift
// code no texts.
#ifndef CBUILDCOMMIT_SHIM_H
#define CBUILDCOMMIT_SHIM_H

#ifndef BRIDGED_COMMIT
#define BRIDGED_COMMIT ""
#endif

/// A short text without blanks; empty where the build was not told.
static inline const char *_Nonnull bridged_build_commit(void) { return BRIDGED_COMMIT; }

#endif
