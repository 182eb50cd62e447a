// The padding modules, a row each: what its facets know of it.
#pragma once

#include <array>

namespace h5bridge::padding {

struct Kind {
  const char* name;  // in front of the number of axes
  const char* mode;  // of torch.nn.functional.pad
  const char* what;  // is put around the spatial axes
  bool has_value = false;
};

inline constexpr std::array kinds{
    Kind{"ZeroPad", "constant", "zeros"},
    Kind{"ConstantPad", "constant", "a number", true},
    Kind{"ReflectionPad", "reflect", "the elements inside, reflected,"},
    Kind{"ReplicationPad", "replicate", "the elements at the border"},
    Kind{"CircularPad", "circular", "the elements of the other end"},
};

}  // namespace h5bridge::padding
