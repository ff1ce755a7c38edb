#include "check.h"
#include "plan/placement.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <tuple>

using namespace monokernel;

namespace {

struct Shape {
    uint32_t lanes, rows, blockRows, workers;

    std::string text() const {
        return std::to_string(lanes) + " lanes, " + std::to_string(rows) + " rows, blocks of " +
               std::to_string(blockRows) + ", " + std::to_string(workers) + " workers";
    }
};

/// Random shapes, small and large, with the corners (one of each, more workers than blocks, blocks larger than a lane).
void forShapes(const std::function<void(const Shape &, const PhasePlacement &)> &body) {
    std::mt19937_64 random(20261123);
    const auto upTo = [&](uint32_t most) {
        const auto value = static_cast<uint32_t>(1 + random() % most);
        return random() % 4 == 0 ? 1 + value % 4 : value;
    };
    for (int round = 0; round < 3000; round++) {
        const Shape shape{upTo(16), upTo(2000), upTo(96), upTo(320)};
        body(shape, placeRows(shape.lanes, shape.rows, shape.blockRows, shape.workers));
    }
}

uint32_t rowsOf(const PhasePlacement &phase, const Range &blocks) {
    uint32_t rows = 0;
    for (uint32_t block = blocks.begin; block < blocks.end; block++) {
        rows += phase.block(block).rows.size();
    }
    return rows;
}

std::vector<uint32_t> lanesOf(const PhasePlacement &phase, const Range &blocks) {
    std::vector<uint32_t> lanes;
    for (uint32_t block = blocks.begin; block < blocks.end; block++) {
        if (lanes.empty() || lanes.back() != phase.block(block).lane) {
            lanes.push_back(phase.block(block).lane);
        }
    }
    return lanes;
}

} // namespace

TEST(eachRowHasExactlyOneWorker) {
    forShapes([](const Shape &shape, const PhasePlacement &phase) {
        std::vector<int> owners(size_t{shape.lanes} * shape.rows, -1);
        bool once = phase.workers.size() == shape.workers;
        for (uint32_t worker = 0; once && worker < shape.workers; worker++) {
            const Range &blocks = phase.workers[worker];
            once = blocks.begin <= blocks.end && blocks.end <= phase.blockCount();
            for (uint32_t block = blocks.begin; once && block < blocks.end; block++) {
                const LaneRows part = phase.block(block);
                once = part.lane < shape.lanes && !part.rows.empty() && part.rows.end <= shape.rows &&
                       part.rows.size() <= shape.blockRows;
                for (uint32_t row = part.rows.begin; once && row < part.rows.end; row++) {
                    int &owner = owners[size_t{part.lane} * shape.rows + row];
                    once = owner == -1 && phase.owner(part.lane, row) == worker;
                    owner = static_cast<int>(worker);
                }
            }
        }
        CHECK_MESSAGE(once && std::find(owners.begin(), owners.end(), -1) == owners.end(), shape.text());
    });
}

TEST(sharesAreWithinOneBlockOfEqual) {
    forShapes([](const Shape &shape, const PhasePlacement &phase) {
        const double equal = static_cast<double>(shape.lanes) * shape.rows / shape.workers;
        for (const Range &blocks : phase.workers) {
            CHECK_MESSAGE(std::abs(rowsOf(phase, blocks) - equal) < shape.blockRows, shape.text());
        }
    });
}

/// Where every block is whole, counts of blocks differ by one at most.
TEST(wholeBlocksAreDealtEvenly) {
    forShapes([](const Shape &shape, const PhasePlacement &) {
        const PhasePlacement phase =
            placeRows(shape.lanes, shape.rows * shape.blockRows, shape.blockRows, shape.workers);
        uint32_t least = UINT32_MAX;
        uint32_t most = 0;
        for (const Range &blocks : phase.workers) {
            least = std::min(least, blocks.size());
            most = std::max(most, blocks.size());
        }
        CHECK_MESSAGE(most - least <= 1, shape.text());
    });
}

TEST(workersKeepToTheirLanes) {
    forShapes([](const Shape &shape, const PhasePlacement &) {
        const uint32_t factor = 1 + shape.workers % 7;
        const PhasePlacement few = placeRows(shape.lanes * factor, shape.rows, shape.blockRows, shape.lanes);
        for (uint32_t worker = 0; worker < shape.lanes; worker++) {
            const uint32_t lane = few.blocksPerLane() * factor;
            CHECK_MESSAGE((few.workers[worker] == Range{worker * lane, (worker + 1) * lane}), shape.text());
        }
        const PhasePlacement many = placeRows(shape.lanes, shape.rows, shape.blockRows, shape.lanes * factor);
        for (const Range &blocks : many.workers) {
            CHECK_MESSAGE(lanesOf(many, blocks).size() <= 1, shape.text());
        }
    });
}

TEST(planIsPlacedPhaseByPhase) {
    for (const char *const folder : {"laneformer-delay2", "laneformer-vocab-parallel", "qwen3"}) {
        const Plan plan = makePlan(readModelSpec(std::filesystem::path(MONOKERNEL_GOLDEN) / folder));
        const Placement placement = makePlacement(
            plan, 3, [](const Phase &phase) { return phase.kind == PhaseKind::attention ? phase.depth : 8; });
        CHECK(placement.workerCount == 3 && placement.phases.size() == plan.phases.size());
        std::map<std::tuple<PhaseKind, uint32_t, uint32_t>, std::vector<Range>> seen;
        for (size_t i = 0; i < plan.phases.size(); i++) {
            const Phase &phase = plan.phases[i];
            const PhasePlacement &placed = placement.phases[i];
            CHECK(placed.lanes == phase.lanes && placed.rows == phase.rows);
            CHECK(placed.blockRows == (phase.kind == PhaseKind::attention ? phase.depth : 8));
            CHECK(placed.workers.size() == 3 && placed.workers.back().end == placed.blockCount());
            // Every layer's phase of one kind has the same rows at the same workers.
            const auto [first, fresh] = seen.emplace(std::tuple(phase.kind, phase.rows, phase.depth), placed.workers);
            CHECK(fresh || first->second == placed.workers);
        }
    }
}

TEST(hugeBlocksAndLanesDoNotOverflow) {
    const PhasePlacement one = placeRows(1024, 4000, UINT32_MAX, 1024);
    CHECK(one.blockCount() == 1024 && one.block(1023).rows == (Range{0, 4000}) && one.workers[5] == (Range{5, 6}));
    const PhasePlacement many = placeRows(1023, 1u << 22, 1, 3);
    CHECK(many.blockCount() == 1023u << 22 && many.workers[2] == (Range{682u << 22, 1023u << 22}));
}

TEST(impossibleShapesAreRefused) {
    for (const Shape &shape :
         {Shape{0, 1, 1, 1}, Shape{1, 0, 1, 1}, Shape{1, 1, 0, 1}, Shape{1, 1, 1, 0}, Shape{1024, 1u << 22, 1, 1}}) {
        bool refused = false;
        try {
            placeRows(shape.lanes, shape.rows, shape.blockRows, shape.workers);
        } catch (const std::invalid_argument &) {
            refused = true;
        }
        CHECK_MESSAGE(refused, shape.text());
    }
}

int main(int argc, char **argv) { return check::checkMain(argc, argv); }
