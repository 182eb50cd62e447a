// The elements of a tensor that is part of the architecture: in JSON a list of numbers, or their bytes, which any
// number of elements may have, and any dtype.
#pragma once

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

/// The elements in row-major order. A list is read as float64; which dtype they are to have is for the type to say
/// (LayerType::settle).
AttributeSpec required_elements(std::string name, std::string meaning);

/// What an attribute of this kind reads as the same elements: a list, where it is short and exact.
Json elements_to_json(const Tensor& tensor);
/// Likewise, always with the dtype.
Json bytes_to_json(const Tensor& tensor);
/// What any of them says, as a row. Throws MalformedFile.
Tensor elements_from_json(const Json& json);

}  // namespace h5bridge
