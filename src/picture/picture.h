// A model as a picture of it shows it: boxes, what leads from one to another, and what surrounds several.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "h5bridge/model.h"

namespace h5bridge {

struct Picture {
  /// What a box is, told by what a call does: it is drawn in a colour of its own.
  enum class Kind {
    Input,
    Output,
    Weighted,     // has parameters
    Elementwise,  // gives what it takes, of the same shape
    Joining,      // takes several values
    Reshaping     // anything else
  };

  struct WeightTensor {
    std::string name;  // the state_dict's
    std::string shape;
    std::string dtype;
    std::string word;  // "trainable", "frozen", "buffer"
  };

  struct Box {
    std::string name;
    std::string type;   // "Conv2d"
    std::string layer;  // that it calls, where that is called otherwise than the call
    Kind kind = Kind::Reshaping;
    std::optional<std::size_t> group;                           // the innermost that it is in
    std::vector<std::string> torch_shapes;                      // of its outputs, as PyTorch lays them out
    std::vector<std::string> keras_shapes;                      // likewise Keras; where that cannot be said, empty
    std::vector<std::pair<std::string, std::string>> settings;  // that are not at their defaults
    std::vector<WeightTensor> tensors;                          // of its layer, where this is the first call of it
    std::int64_t parameters = 0;                                // their elements, buffers left out
    std::int64_t frozen_parameters = 0;                         // of them

    /// "PyTorch (batch, 3, 8, 8)", "Keras (batch, 8, 8, 3)"; one line where both are the same.
    std::vector<std::string> shape_lines() const;
  };

  struct Arrow {
    std::size_t from = 0;
    std::size_t to = 0;
    std::string label;  // what the value is to whoever takes it, where that takes several
  };

  /// A model within the model, or a module of PyTorch's.
  struct Group {
    std::string name;
    std::optional<std::size_t> parent;
  };

  std::string name;
  std::vector<Box> boxes;  // in the order in which they are computed
  std::vector<Arrow> arrows;
  std::vector<Group> groups;
};

/// "weighted": how a Kind is called in files.
std::string name_of(Picture::Kind kind);

/// A stranger's name as pictures have it: on one line, of bounded length.
std::string shown_name(const std::string& name);

/// A layer's type, with the activation that Keras has within it: "Linear, softmax".
std::string shown_type(const Layer& layer);

/// "1,234,567".
std::string with_commas(std::int64_t number);

/// Names are shown_name()s: whoever draws them escapes them. Throws UsageError where there is
/// no architecture, MalformedFile where it is not sound.
Picture picture_of(const Model& model);

}  // namespace h5bridge
