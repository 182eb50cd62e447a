// The source of a PyTorch module.
#include "convert/formats/format.h"

namespace h5bridge {

Format python_format() { return {.name = "python", .suffixes = {".py"}}; }

}  // namespace h5bridge
