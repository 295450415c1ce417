#ifndef CLIBMD_SHIM_H
#define CLIBMD_SHIM_H

#include <sha2.h>

#endif
