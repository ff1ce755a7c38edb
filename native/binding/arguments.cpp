#include "binding/arguments.h"

#include "binding/errors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace monokernel::binding {
namespace {

constexpr double largestSafeInteger = 9007199254740991.0;

[[noreturn]] void refuse(const std::string &name, const std::string &expected) {
    throw CodedError("optionInvalid", name + " must be " + expected);
}

double readNumber(const Napi::Value &value, const std::string &name) {
    if (!value.IsNumber()) {
        refuse(name, "a number");
    }
    return value.As<Napi::Number>().DoubleValue();
}

/// A whole number in lowest..highest.
template <typename Integer>
Integer readInteger(const Napi::Value &value, const std::string &name, double lowest, double highest) {
    const double number = readNumber(value, name);
    if (!(number >= lowest && number <= highest) || std::trunc(number) != number) {
        refuse(name, "a whole number from " + std::to_string(static_cast<int64_t>(lowest)) + " to " +
                         std::to_string(static_cast<int64_t>(highest)) + ", it is " + std::to_string(number));
    }
    return static_cast<Integer>(number);
}

uint32_t readCount(const Napi::Value &value, const std::string &name) {
    return readInteger<uint32_t>(value, name, 0.0, std::numeric_limits<uint32_t>::max());
}

std::string readString(const Napi::Value &value, const std::string &name) {
    if (!value.IsString()) {
        refuse(name, "a string");
    }
    return value.As<Napi::String>().Utf8Value();
}

std::vector<int32_t> readTokens(const Napi::Value &value, const std::string &name) {
    if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_int32_array) {
        const auto array = value.As<Napi::Int32Array>();
        return {array.Data(), array.Data() + array.ElementLength()};
    }
    if (!value.IsArray()) {
        refuse(name, "an Int32Array or an array of token numbers");
    }
    const auto array = value.As<Napi::Array>();
    std::vector<int32_t> tokens(array.Length());
    for (uint32_t index = 0; index < tokens.size(); index++) {
        tokens[index] = readInteger<int32_t>(array.Get(index), name + "[" + std::to_string(index) + "]",
                                             std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max());
    }
    return tokens;
}

/// One of the values that have names.
template <typename Value, size_t Count>
Value readChoice(const Napi::Value &value, const char *name, const std::pair<const char *, Value> (&choices)[Count]) {
    const std::string chosen = readString(value, name);
    std::string known;
    for (const auto &[title, choice] : choices) {
        if (chosen == title) {
            return choice;
        }
        known += (known.empty() ? "'" : ", '") + std::string(title) + "'";
    }
    refuse(name, "one of " + known + ", it is '" + chosen + "'");
}

Device readDevice(const Napi::Value &value, const char *name) {
    return readChoice<Device>(value, name,
                              {{"auto", Device::automatic},
                               {"cpu", Device::cpu},
                               {"gfx942", Device::gfx942},
                               {"sm_90", Device::sm90},
                               {"sm_80", Device::sm80}});
}

Precision readPrecision(const Napi::Value &value, const char *name) {
    return readChoice<Precision>(
        value, name, {{"auto", Precision::automatic}, {"bf16", Precision::stored}, {"int8", Precision::int8}});
}

Speculation readSpeculation(const Napi::Value &value, const char *name) {
    return readChoice<Speculation>(value, name,
                                   {{"off", Speculation::off}, {"promptLookup", Speculation::promptLookup}});
}

/// The fields of an options object; what is left out or undefined keeps its default.
class Options {
public:
    explicit Options(const Napi::Value &value) {
        if (!value.IsObject()) {
            refuse("options", "an object");
        }
        object_ = value.As<Napi::Object>();
    }

    template <typename Field, typename Read> void read(const char *name, Field &field, Read readField) const {
        const Napi::Value value = object_.Get(name);
        if (!value.IsEmpty() && !value.IsUndefined()) {
            field = readField(value, name);
        }
    }

private:
    Napi::Object object_;
};

float readFloat(const Napi::Value &value, const char *name) { return static_cast<float>(readNumber(value, name)); }

} // namespace

std::filesystem::path readPath(const Napi::Value &value, const char *name) {
    const std::string utf8 = readString(value, name);
    return {std::u8string(utf8.begin(), utf8.end())};
}

Napi::Function readFunction(const Napi::Value &value, const char *name) {
    if (!value.IsFunction()) {
        refuse(name, "a function");
    }
    return value.As<Napi::Function>();
}

EngineOptions readEngineOptions(const Napi::Value &value) {
    EngineOptions options;
    const Options fields(value);
    fields.read("device", options.device, readDevice);
    fields.read("precision", options.precision, readPrecision);
    fields.read("threads", options.threads, readCount);
    fields.read("slots", options.slots, readCount);
    fields.read("contextLength", options.contextLength, readCount);
    fields.read("instructionSet", options.instructionSet, readString);
    fields.read("kernelFolder", options.kernelFolder, readPath);
    return options;
}

GenerateRequest readGenerateRequest(const Napi::Value &tokens, const Napi::Value &value) {
    GenerateRequest request;
    request.tokens = readTokens(tokens, "tokens");
    const Options fields(value);
    fields.read("maxTokens", request.maxTokens, readCount);
    fields.read("stopTokens", request.stopTokens, readTokens);
    fields.read("temperature", request.sampling.temperature, readFloat);
    fields.read("topK", request.sampling.topK, readCount);
    fields.read("topP", request.sampling.topP, readFloat);
    fields.read("seed", request.sampling.seed, [](const Napi::Value &field, const char *name) {
        return readInteger<uint64_t>(field, name, 0.0, largestSafeInteger);
    });
    fields.read("speculation", request.speculation, readSpeculation);
    fields.read("minProbability", request.minProbability, readFloat);
    return request;
}

} // namespace monokernel::binding
