#include "check.h"
#include "shipped_kernel.h"

using namespace gfx942;

TEST(seededPlaceholder) { CHECK(true); }
