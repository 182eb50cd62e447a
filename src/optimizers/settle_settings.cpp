#include "optimizers/settle_settings.h"

#include "h5bridge/error.h"
#include "model/quoted.h"
#include "model/same_value.h"
#include "optimizers/keras_settings.h"

namespace h5bridge {

void settle_settings(Optimizer& optimizer) {
  const std::string where = "the optimizer " + optimizer.kind;
  for (std::size_t i = 0; i < optimizer.groups.size(); ++i) {
    Json::Object& group = optimizer.groups[i];
    if (!group.contains("params"))
      throw UsageError(where + ": its groups[" + std::to_string(i) + "] has no \"params\"");
    for (const auto& [name, value] : optimizer.hyperparameters) {
      const Json* own = group.find(name);
      if (i == 0 && own && !same_value(*own, value))
        throw UsageError(where + ": " + name + " is " + quoted(value) + " in its hyperparameters and " + quoted(*own) +
                         " in groups[0], though they are that group's; change both");
      if (!own && name != kKerasMember) group.set(name, value);
    }
  }
}

}  // namespace h5bridge
