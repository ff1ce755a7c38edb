#include "model/quote.h"

namespace monokernel {

std::string quote(std::string_view name) {
    constexpr size_t limit = 120;
    std::string out = "\"";
    for (const char c : name.substr(0, limit)) {
        const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
        out += control ? '?' : c;
    }
    // A cut may fall inside a UTF-8 sequence; drop its beginning.
    if (name.size() > limit) {
        while ((static_cast<unsigned char>(out.back()) & 0xC0) == 0x80) {
            out.pop_back();
        }
        if ((static_cast<unsigned char>(out.back()) & 0xC0) == 0xC0) {
            out.pop_back();
        }
        out += "...";
    }
    return out + "\"";
}

} // namespace monokernel
