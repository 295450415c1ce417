#ifndef CLIBUV_SHIM_H
#define CLIBUV_SHIM_H

#include <malloc.h>
#include <uv.h>

#endif
