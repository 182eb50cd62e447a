// Catch2 beside LibTorch, which has a macro CHECK of its own.
#pragma once

#include <torch/torch.h>
#undef CHECK
#include <catch2/catch.hpp>
