// An integer or a float, which are told apart as PyTorch and Keras do.
#pragma once

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

AttributeSpec required_scalar(std::string name, std::string meaning);
AttributeSpec scalar(std::string name, AttributeValue fallback, std::string meaning);

}  // namespace h5bridge
