#include "facets/spec/attributes/spec.h"

namespace h5bridge {

AttributeSpec deciding(Decides what, AttributeSpec spec) {
  spec.decides = what;
  return spec;
}

}  // namespace h5bridge
