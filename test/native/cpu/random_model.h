#pragma once

#include "model_draft.h"

#include <cstdint>
#include <random>

/// A model of a random family and shape with random weights: odd sizes, all element types, GQA, windows, lanes and all
/// options of a Laneformer.
draft::ModelFolder randomModel(std::mt19937 &random);
