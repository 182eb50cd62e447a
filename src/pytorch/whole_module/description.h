// What `inspect` shows of a module within a file.
#pragma once

#include <string>

#include "pytorch/file.h"
#include "pytorch/whole_module/pickled_module.h"

namespace h5bridge {

/// {"name", "class", "settings"}: settings as JSON, but for tensors and what is too large to show.
Json module_description(const TorchFile& file, const std::string& name, const std::string& class_path,
                        const NamedRefs& settings);

/// A pickled module and all within it, in order.
Json describe_modules(const TorchFile& file, const pickle::Value& module);

}  // namespace h5bridge
