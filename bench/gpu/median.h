#pragma once

#include <algorithm>
#include <vector>

namespace bench {

/// The upper median; 0 without values. Reorders them.
inline double median(std::vector<double> &values) {
    std::ranges::sort(values);
    return values.empty() ? 0.0 : values[values.size() / 2];
}

} // namespace bench
