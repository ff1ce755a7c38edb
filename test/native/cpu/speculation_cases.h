#pragma once

#include "check.h"
#include "golden_file.h"

#include <algorithm>
#include <random>

// What tests of speculation have in common: a job plainly and with drafts.

namespace monokernel {

struct Drafts {
    uint64_t drafted = 0, accepted = 0;
    void add(const SequenceResult &result) {
        drafted += result.drafted;
        accepted += result.accepted;
    }
};

inline SequenceJob speculative(const SequenceJob &job) {
    SequenceJob other = job;
    other.speculation = Speculation::promptLookup;
    return other;
}

inline bool sameEnd(const SequenceResult &a, const SequenceResult &b) {
    return a.stop == b.stop && a.generated == b.generated && a.cached == b.cached && a.prefilled == b.prefilled;
}

/// The job plainly and with drafts, in one executor; returns the plain output.
inline golden::Output compare(Executor &executor, const SequenceJob &job, const std::string &label, Drafts &drafts) {
    golden::Output plain = golden::run(executor, job);
    const golden::Output drafted = golden::run(executor, speculative(job));
    CHECK_MESSAGE(drafted == plain && sameEnd(drafted.result, plain.result), label);
    CHECK(plain.result.drafted == 0 && drafted.result.accepted <= drafted.result.drafted);
    CHECK(drafted.result.accepted < std::max(1u, drafted.result.generated));
    drafts.add(drafted.result);
    return plain;
}

inline std::vector<int32_t> randomTokens(std::mt19937 &random, uint32_t count, uint32_t vocabulary) {
    std::vector<int32_t> tokens(count);
    for (int32_t &token : tokens) {
        token = static_cast<int32_t>(random() % vocabulary);
    }
    return tokens;
}

inline std::vector<int32_t> repeated(const std::vector<int32_t> &tokens, uint32_t count) {
    std::vector<int32_t> out;
    while (out.size() < count) {
        out.push_back(tokens[out.size() % tokens.size()]);
    }
    return out;
}

} // namespace monokernel
