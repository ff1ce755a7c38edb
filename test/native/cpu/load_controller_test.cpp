// The worker count against traces of a machine on which other programs come and go.

#include "check.h"
#include "exec/cpu/load_controller.h"

#include <algorithm>
#include <cmath>
#include <string>

using namespace monokernel;
using namespace monokernel::cpu;

namespace {

using Seconds = std::chrono::duration<double>;
using Time = LoadController::Time;

/// A machine whose steps take a known time, and whose last worker loses its core while another program wants it: the
/// two take turns of `slice`. Deterministic.
struct Machine {
    double oneWorker = 2.0e-3, allWorkers = 1.7e-3; ///< quiet seconds a step
    double slice = 4e-3;
    uint32_t most = 2;
    double busyFrom = 0, busyUntil = 0; ///< when the other program runs
    double now = 0;

    double quietStep(uint32_t workers) const {
        const double share = (1.0 / workers - 1.0 / most) / (1.0 - 1.0 / most);
        return allWorkers + (oneWorker - allWorkers) * share;
    }

    /// The step that `workers` take from now on.
    StepTiming step(uint32_t workers) {
        double left = quietStep(workers), lost = 0, duration = 0;
        while (left > 0) {
            const double at = now + duration;
            const bool busy = workers == most && at >= busyFrom && at < busyUntil;
            const double inTurn = std::fmod(at, 2 * slice);
            if (busy && inTurn >= slice - 1e-12) {
                const double wait = 2 * slice - inTurn;
                lost += wait;
                duration += wait;
            } else {
                const double run = busy ? std::min(left, slice - inTurn) : left;
                left -= run;
                duration += run;
            }
        }
        now += duration;
        const auto time = [](double seconds) {
            return std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(seconds));
        };
        return {1, workers, time(duration), time(lost)};
    }

    Time clock() const { return Time(std::chrono::duration_cast<Time::duration>(Seconds(1000 + now))); }
};

struct Run {
    double tokensPerSecond = 0;
    double shareOfAll = 0; ///< of steps with all workers
    uint32_t changes = 0;
};

Run run(LoadController &controller, Machine &machine, double seconds) {
    Run result;
    const double start = machine.now;
    uint32_t steps = 0, all = 0, before = 0;
    while (machine.now < start + seconds) {
        const uint32_t workers = controller.choose(machine.clock());
        const StepTiming timing = machine.step(workers);
        controller.observe(timing, machine.clock());
        steps++;
        all += workers == machine.most ? 1 : 0;
        result.changes += before != 0 && before != workers ? 1 : 0;
        before = workers;
    }
    result.tokensPerSecond = steps / (machine.now - start);
    result.shareOfAll = static_cast<double>(all) / steps;
    return result;
}

double fixedRate(Machine machine, uint32_t workers, double seconds) {
    const double start = machine.now;
    uint32_t steps = 0;
    while (machine.now < start + seconds) {
        machine.step(workers);
        steps++;
    }
    return steps / (machine.now - start);
}

std::string text(const Run &run) {
    return std::to_string(run.tokensPerSecond) + " tok/s, all workers " + std::to_string(run.shareOfAll) + ", " +
           std::to_string(run.changes) + " changes";
}

} // namespace

TEST(aQuietMachineKeepsAllWorkers) {
    LoadController controller(2);
    Machine machine;
    const Run result = run(controller, machine, 5);
    CHECK_MESSAGE(result.shareOfAll == 1.0 && result.changes == 0, text(result));
}

TEST(aTakenCoreIsGivenUpAtOnceAndProbesAreCheap) {
    LoadController controller(2);
    Machine machine{.busyUntil = 1e9};
    const Run first = run(controller, machine, 0.05);
    CHECK_MESSAGE(first.changes >= 1, text(first));
    const Run later = run(controller, machine, 10);
    CHECK_MESSAGE(later.tokensPerSecond > 0.97 * fixedRate(machine, 1, 10), text(later));
    CHECK_MESSAGE(later.shareOfAll > 0 && later.shareOfAll < 0.05, text(later));
    CHECK_MESSAGE(later.changes < 50, text(later));
}

TEST(aCoreThatIsFreeAgainIsTakenBack) {
    LoadController controller(2);
    Machine machine{.busyUntil = 3};
    run(controller, machine, 3);
    run(controller, machine, 1); // the longest pause between probes
    const Run after = run(controller, machine, 2);
    CHECK_MESSAGE(after.shareOfAll == 1.0, text(after));
}

TEST(halfACoreIsKeptWhereItPays) {
    // Two workers are 1.9 times as quick as one, and lose a fifth of their time.
    LoadController controller(2);
    Machine machine{.oneWorker = 1.9e-3, .allWorkers = 1e-3, .slice = 1e-3, .busyUntil = 1e9};
    const auto lossy = [&](uint32_t workers) {
        StepTiming timing{1, workers, std::chrono::microseconds(workers == 2 ? 1000 : 1900), {}};
        machine.now += Seconds(timing.duration).count();
        if (workers == 2 && std::fmod(machine.now, 5e-3) < 1e-3) {
            timing.duration += std::chrono::milliseconds(1);
            timing.lost = std::chrono::milliseconds(1);
            machine.now += 1e-3;
        }
        return timing;
    };
    uint32_t steps = 0, all = 0;
    while (machine.now < 10) {
        const uint32_t workers = controller.choose(machine.clock());
        controller.observe(lossy(workers), machine.clock());
        steps++;
        all += workers == 2 ? 1 : 0;
    }
    CHECK_MESSAGE(all > 0.9 * steps, std::to_string(all) + " of " + std::to_string(steps));
}

TEST(shortBurstsCostLittle) {
    LoadController controller(2);
    Machine machine;
    uint32_t changes = 0, steps = 0;
    double fixedSteps = 0;
    for (int second = 0; second < 10; second++) {
        machine.busyFrom = second + 0.5;
        machine.busyUntil = second + 0.55;
        fixedSteps += fixedRate(machine, 2, 1.0);
        const Run result = run(controller, machine, second + 1 - machine.now);
        steps += static_cast<uint32_t>(result.tokensPerSecond);
        changes += result.changes;
    }
    CHECK_MESSAGE(steps > 0.95 * fixedSteps, std::to_string(steps) + " of " + std::to_string(fixedSteps));
    CHECK_MESSAGE(changes < 60, std::to_string(changes));
}

TEST(slowStepsDoNotCareForOneSlice) {
    // 150 ms a step: a lost slice of 4 ms now and then is nothing.
    LoadController controller(2);
    Machine machine{.oneWorker = 0.29, .allWorkers = 0.15, .busyUntil = 0};
    uint32_t fewer = 0;
    for (int i = 0; i < 200; i++) {
        const uint32_t workers = controller.choose(machine.clock());
        StepTiming timing = machine.step(workers);
        timing.lost = std::chrono::milliseconds(workers == 2 ? 4 : 0);
        fewer += workers == 1 ? 1 : 0;
        controller.observe(timing, machine.clock());
    }
    CHECK(fewer == 0);
}

TEST(fewerWorkersThatAreMuchSlowerAreLeftAgain) {
    // A slice of 4 ms is lost every 100 ms; one worker takes four times as long as all.
    LoadController controller(2);
    Machine machine{.oneWorker = 8e-3, .allWorkers = 2e-3};
    double lost = 0;
    uint32_t fewer = 0, steps = 0;
    while (machine.now < 10) {
        const uint32_t workers = controller.choose(machine.clock());
        StepTiming timing = machine.step(workers);
        if (workers == 2 && machine.now - lost > 0.1) {
            lost = machine.now;
            timing.lost = std::chrono::milliseconds(4);
            timing.duration += timing.lost;
            machine.now += 4e-3;
        }
        controller.observe(timing, machine.clock());
        fewer += workers == 1 ? 1 : 0;
        steps++;
    }
    // Three steps of a probe, when the last one is two seconds ago and forgotten.
    CHECK_MESSAGE(fewer > 0 && fewer <= 15, std::to_string(fewer) + " of " + std::to_string(steps));
}

TEST(oneOfManyWorkersIsGivenUp) {
    LoadController controller(8);
    Machine machine{.oneWorker = 8e-3, .allWorkers = 1e-3, .most = 8, .busyUntil = 1e9};
    run(controller, machine, 0.2);
    const Run result = run(controller, machine, 5);
    CHECK_MESSAGE(result.tokensPerSecond > 0.95 / machine.quietStep(7), text(result));
    CHECK_MESSAGE(controller.choose(machine.clock()) >= 7, text(result));
}

TEST(aWorkerThatDoesNotArriveEndsTheProbe) {
    LoadController controller(2);
    Machine machine{.busyUntil = 1e9};
    run(controller, machine, 0.1);
    uint32_t longest = 0, current = 0;
    for (int i = 0; i < 2000; i++) {
        const uint32_t wanted = controller.choose(machine.clock());
        current = wanted == 2 ? current + 1 : 0;
        longest = std::max(longest, current);
        controller.observe(machine.step(1), machine.clock()); // It has not woken up in time, ever.
    }
    CHECK_MESSAGE(longest > 0 && longest < 20, std::to_string(longest));
}

TEST(shortRequestsProbeSeldom) {
    // Fifty requests of 60 ms, one every two seconds, beside a program that takes the core all the time.
    LoadController controller(2);
    Machine machine{.busyUntil = 1e9};
    run(controller, machine, 2);
    uint32_t withProbe = 0;
    for (int i = 0; i < 50; i++) {
        machine.now += 2;
        withProbe += run(controller, machine, 0.06).shareOfAll > 0 ? 1 : 0;
    }
    CHECK_MESSAGE(withProbe < 50, std::to_string(withProbe));
    machine.busyUntil = machine.now; // Then it ends, and the next few requests find out.
    Run last;
    for (int i = 0; i < 4; i++) {
        machine.now += 2;
        last = run(controller, machine, 0.06);
    }
    CHECK_MESSAGE(last.shareOfAll == 1.0, text(last));
}
