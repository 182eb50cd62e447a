// x[...]: what stands between the brackets, as the facets of this family share it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "facets/spec/layer_type.h"

namespace h5bridge::indexing {

/// One item of an index: it takes an axis (all but NewAxis), and leaves one (all but Integer).
struct Item {
  enum class Kind { Slice, Integer, NewAxis, Ellipsis };
  Kind kind = Kind::Slice;
  std::optional<Size> start = {};  // of a slice; an integer's index
  std::optional<Size> stop = {};
  std::int64_t step = 1;
  bool operator==(const Item&) const = default;
};

struct Index {
  std::vector<Item> items;
  bool is_tuple = true;  // Python tells x[0] from x[0,]
};

/// Reads "1:, None, 0, ..., ::2". Throws MalformedFile.
Index parse_index(const std::string& text);
/// The text that parse_index reads.
std::string to_text(const Index& index);

/// The items of a layer of this family (getitem, slice, select, narrow) for an input of `rank` axes, with the ellipsis
/// written out, so that every axis has one. Throws MalformedFile where the index has too many.
std::vector<Item> items_of(const std::string& type, const Attributes& attributes, std::size_t rank);

/// A place on an axis; negative ones, which may be open sizes, are counted from its end.
Size counted_from_start(const Size& place, const Size& extent);

/// The shape of what they take out of a tensor of shape `input`.
SymbolicShape indexed(const std::vector<Item>& items, const SymbolicShape& input);

}  // namespace h5bridge::indexing
