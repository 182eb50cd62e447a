// A program whose steps say what they compute, and may be joined: what the inference plan is made of.
#pragma once

#include <optional>
#include <vector>

#include "facets/libtorch/operation.h"
#include "runtime/program.h"

namespace h5bridge::plan {

using Slot = Program::Slot;

/// A value as it was in the call that the plan is made after. Its rank and type are those of all calls that the plan is
/// for; its sizes may be others.
struct Seen {
  std::vector<std::int64_t> sizes;
  torch::ScalarType type = torch::kFloat;
  bool is_plain = false;  // on the CPU, with strides
};

struct Node {
  const Program::Step* step = nullptr;  // what it began as; of an opaque node, what is called
  Operation operation;
  std::vector<Slot> inputs;
  std::vector<std::pair<std::string, Slot>> named_inputs;
  std::vector<Program::Made> outputs;
  std::optional<Slot> addend = std::nullopt;            // is added to what the operation gives
  std::optional<Activation> activation = std::nullopt;  // of the sum, or of what the operation gives

  Slot output() const { return outputs.at(0).slot; }
};

struct Graph {
  std::vector<Node> nodes;  // in an order in which every value is made before it is used
  std::vector<Slot> outputs;
  std::vector<Seen> values;  // by slot

  /// How often each value is used, as an output of the whole, too.
  std::vector<std::size_t> uses() const;
  /// The place among the nodes of the one that makes each value; that of an input is behind all of them.
  std::vector<std::size_t> makers() const;
};

/// The program's steps, each with what its layer says that it computes; opaque where a value has another type than
/// float32, or other axes than the operation knows.
Graph graph_of(const Program& program, const std::vector<Seen>& values);

}  // namespace h5bridge::plan
