#ifndef CLIBMD_SHIM_H
#define CLIBMD_SHIM_H

#include <sha1.h>
#include <sha2.h>

#endif
