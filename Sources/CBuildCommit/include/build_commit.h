// The commit that the program was built from, as a constant of the build (see Package.swift).

/// A short text without blanks; empty where the build was not told.
const char *bridged_build_commit(void);
