#include "fake_executor.h"

#include <algorithm>

using namespace monokernel;

namespace {

int32_t nextToken(const std::vector<int32_t> &sequence) {
    uint64_t hash = 1469598103934665603ull;
    for (const int32_t token : sequence) {
        hash = (hash ^ static_cast<uint64_t>(token)) * 1099511628211ull;
    }
    return static_cast<int32_t>(hash >> 20) & 511;
}

} // namespace

SequenceResult FakeExecutor::run(const SequenceJob &job, const std::function<void(GeneratedToken)> &sink) {
    runs++;
    std::vector<int32_t> &held = slots_[job.slot];
    if (job.reused > held.size() || job.reused >= job.tokens.size() ||
        !std::equal(held.begin(), held.begin() + job.reused, job.tokens.begin())) {
        falseReuses++;
    }
    held.resize(job.reused);
    SequenceResult result;
    const auto finish = [&](StopReason stop) {
        result.stop = stop;
        result.cached = static_cast<uint32_t>(held.size());
        return result;
    };
    for (uint32_t index = job.reused; index < job.tokens.size(); index++) {
        if (*job.cancel) {
            return finish(StopReason::cancelled);
        }
        held.push_back(job.tokens[index]);
        result.prefilled++;
    }
    while (result.generated < job.maxTokens) {
        if (beforeStep) {
            beforeStep(result.generated);
        }
        steps++;
        if (*job.cancel) {
            return finish(StopReason::cancelled);
        }
        const int32_t token = nextToken(held);
        if (std::ranges::find(job.stopTokens, token) != job.stopTokens.end()) {
            return finish(StopReason::stopToken);
        }
        sink({token, -0.5f});
        result.generated++;
        if (held.size() == contextLength_) {
            return finish(StopReason::contextFull);
        }
        if (result.generated < job.maxTokens) {
            held.push_back(token); // the last token is given but never run
        }
    }
    return finish(StopReason::maxTokens);
}

std::vector<int32_t> fakeContinuation(std::vector<int32_t> prompt, uint32_t count) {
    std::vector<int32_t> tokens;
    for (uint32_t index = 0; index < count; index++) {
        tokens.push_back(nextToken(prompt));
        prompt.push_back(tokens.back());
    }
    return tokens;
}
