#include "facets/spec/attributes/spec.h"

namespace h5bridge {

AttributeSpec deciding(Decides what, AttributeSpec spec) {
  spec.decides = what;
  return spec;
}

AttributeSpec of_call(AttributeSpec spec) {
  spec.of_call = true;
  return spec;
}

}  // namespace h5bridge
