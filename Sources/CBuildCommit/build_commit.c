// The one place that knows BRIDGED_COMMIT. It is C because SwiftPM gives no texts to Swift code, and a target of its own so
// that another commit compiles this file anew and nothing else.

#include "build_commit.h"

const char *bridged_build_commit(void) { return BRIDGED_COMMIT; }
