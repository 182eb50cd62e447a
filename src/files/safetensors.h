// The safetensors format: named tensors behind a JSON header (https://huggingface.co/docs/safetensors). Eight bytes of
// length, the header {"name": {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {text: text}}, the
// data.
#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "h5bridge/byte_source.h"
#include "h5bridge/tensor.h"

namespace h5bridge::safetensors {

using Metadata = std::vector<std::pair<std::string, std::string>>;

struct File {
  std::vector<NamedTensor> tensors;  // in the header's order; their bytes stay in the file
  Metadata metadata;
};

/// Whether a file begins as one: a length that fits it, and a brace.
bool looks_like(const ByteSource& file);

/// Throws MalformedFile where the header does not describe all bytes of the file once, Unsupported for element types
/// that have no equivalent, naming the tensor.
File read(const ByteSourcePtr& file);

/// Names stand in the header in the order given; of the data the larger elements come first, so that all are aligned.
/// Throws Unsupported for element types that the format does not know, SystemFailure if writing fails.
void write(std::span<const NamedTensor> tensors, const Metadata& metadata, std::ostream& out);

}  // namespace h5bridge::safetensors
