#include "CCodecs.h"
int cc_placeholder(void) { return 0; }
