#include "lib/version.h"

const char *
fab_version(void)
{
	return FAB_VERSION;
}
