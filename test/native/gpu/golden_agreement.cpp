#include "golden_agreement.h"

#include <cmath>
#include <limits>

namespace golden {

double worstDifference(const std::vector<float> &logits, const Folder &expected) {
    double worst = 0.0;
    size_t at = 0;
    for (const std::vector<double> &row : expected.logits) {
        for (const double value : row) {
            const double difference = std::abs(static_cast<double>(logits.at(at++)) - value);
            worst = difference <= worst ? worst : difference;
        }
    }
    return at == logits.size() && worst == worst ? worst : std::numeric_limits<double>::infinity();
}

size_t firstWrongToken(const std::vector<int32_t> &tokens, const std::vector<int32_t> &expected,
                       const std::vector<double> &margin, double tolerance) {
    for (size_t i = 0; i < expected.size() && margin[i] > 2 * tolerance; i++) {
        if (i >= tokens.size() || tokens[i] != expected[i]) {
            return i;
        }
    }
    return expected.size();
}

} // namespace golden
