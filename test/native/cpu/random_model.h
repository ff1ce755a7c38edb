#pragma once

#include "model_draft.h"

#include <cstdint>
#include <random>

/// A model of a random family and shape with random weights: odd sizes, all element types, GQA, windows, lanes and all
/// options of a Laneformer.
draft::ModelFolder randomModel(std::mt19937 &random);
/// Likewise one that a GPU runs: bf16 alone, sizes that are multiples of four, and heads of up to 256 elements.
draft::ModelFolder randomGpuModel(std::mt19937 &random);
