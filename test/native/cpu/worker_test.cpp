// Workers, their hand-offs and the bound of every wait.

#include "check.h"
#include "exec/cpu/cpu_cores.h"
#include "exec/cpu/placement.h"
#include "exec/cpu/progress.h"
#include "exec/cpu/worker_pool.h"

#include <chrono>
#include <thread>

#ifdef __linux__
#include <ctime>
#include <sched.h>
#endif

using namespace monokernel;
using namespace monokernel::cpu;
using namespace std::chrono_literals;

TEST(aMissingWorkerExpiresTheWait) {
    for (const bool crowded : {false, true}) {
        Progress progress(3, 50ms, crowded);
        progress.publish(0, 4);
        progress.publish(1, 5);
        const auto start = std::chrono::steady_clock::now();
        CHECK(!progress.wait(0, 0, 3, 4, 17));
        const auto waited = std::chrono::steady_clock::now() - start;
        CHECK(waited >= 50ms && waited < 5s);
        CHECK(progress.leaving() == Progress::Leave::expired);
        CHECK(progress.expiredWorker() == 2 && progress.expiredEdge() == 17);
        CHECK(!progress.wait(0, 0, 1, 1, 0)); // Everybody leaves now.
        progress.reset();
        progress.publish(0, 1);
        CHECK(progress.wait(0, 0, 1, 1, 0));
    }
}

#ifdef __linux__
std::chrono::nanoseconds ownProcessorTime() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// Who waits for a worker that has lost its core does not burn its own: that other programs would have had.
TEST(aWaitThatLastsSparesTheCore) {
    Progress progress(2, 200ms, false);
    const auto before = ownProcessorTime();
    CHECK(!progress.wait(0, 0, 2, 1, 0)); // expires
    const auto used = ownProcessorTime() - before;
    CHECK_MESSAGE(used < 100ms, std::to_string(used.count()));
}
#endif

TEST(leavingEndsWaits) {
    Progress progress(2, 10s, false);
    std::thread other([&] {
        std::this_thread::sleep_for(20ms);
        progress.leave(Progress::Leave::cancelled);
        progress.leave(Progress::Leave::failed);
    });
    CHECK(!progress.wait(0, 0, 2, 1, 0));
    other.join();
    CHECK(progress.leaving() == Progress::Leave::cancelled);
}

TEST(handOffsCarryTheData) {
    constexpr uint32_t workers = 3;
    constexpr uint64_t rounds = 2000;
    WorkerPool pool(workers, usableCores());
    Progress progress(workers, 10s, pool.crowded());
    std::vector<uint64_t> values(workers);
    std::vector<uint64_t> sums(workers);
    CHECK(pool.run([&](uint32_t worker) {
        for (uint64_t round = 1; round <= rounds; round++) {
            values[worker] = round * (worker + 1);
            progress.publish(worker, 2 * round);
            if (!progress.wait(worker, 0, workers, 2 * round, 0)) {
                return;
            }
            for (const uint64_t value : values) {
                sums[worker] += value;
            }
            progress.publish(worker, 2 * round + 1);
            if (!progress.wait(worker, 0, workers, 2 * round + 1, 0)) {
                return;
            }
        }
    }));
    for (const uint64_t sum : sums) {
        CHECK(sum == (1 + 2 + 3) * rounds * (rounds + 1) / 2);
    }
}

TEST(aLateWorkerIsReported) {
    WorkerPool pool(2, usableCores());
    std::atomic<bool> go{false};
    const auto job = [&](uint32_t worker) {
        while (worker == 1 && !go) {
            std::this_thread::sleep_for(1ms);
        }
    };
    CHECK(!pool.run(job, 30ms));
    CHECK(!pool.run([](uint32_t) {}, 30ms)); // still busy
    go = true;
    CHECK(pool.waitUntilIdle(10s));
    CHECK(pool.run([](uint32_t) {}, 10s));
}

TEST(workersWakeAndPark) {
    WorkerPool pool(2, usableCores());
    for (int i = 0; i < 200; i++) {
        std::atomic<uint32_t> ran{0};
        CHECK(pool.run([&](uint32_t) { ran++; }));
        CHECK(ran == 2);
    }
}

#ifdef __linux__
TEST(theCallersAffinityIsRestored) {
    cpu_set_t before, after;
    sched_getaffinity(0, sizeof before, &before);
    WorkerPool pool(1, usableCores());
    int inside = 0;
    pool.run([&](uint32_t) {
        cpu_set_t mask;
        sched_getaffinity(0, sizeof mask, &mask);
        inside = CPU_COUNT(&mask);
    });
    sched_getaffinity(0, sizeof after, &after);
    CHECK(inside == 1 && CPU_EQUAL(&before, &after) != 0);
}

TEST(coresRespectTheAffinityMask) {
    const std::vector<uint32_t> all = usableCores();
    const ThreadPin pin(all.back());
    CHECK(usableCores() == std::vector<uint32_t>{all.back()});
}
#endif

TEST(laneGroupsDivideWorkersAndLanes) {
    ModelSpec spec;
    spec.laneCount = 8;
    CHECK((laneGroup(spec, 2, 1).lanes == Range{4, 8} && laneGroup(spec, 2, 1).workers == Range{1, 2}));
    CHECK((laneGroup(spec, 3, 2).lanes == Range{0, 8} && laneGroup(spec, 3, 2).workers == Range{0, 3}));
    CHECK((laneGroup(spec, 6, 4).lanes == Range{4, 8} && laneGroup(spec, 6, 4).workers == Range{3, 6}));
    CHECK((laneGroup(spec, 16, 5).lanes == Range{2, 3} && laneGroup(spec, 16, 5).workers == Range{4, 6}));
    CHECK(
        (evenShare(7, 0, 3) == Range{0, 2} && evenShare(7, 1, 3) == Range{2, 4} && evenShare(7, 2, 3) == Range{4, 7}));
}
