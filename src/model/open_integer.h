// What is asked for an integer that is open, as a number.
#pragma once

#include <string>
#include <string_view>

#include "h5bridge/error.h"

namespace h5bridge {

class OpenInteger : public Unsupported {
 public:
  OpenInteger(std::string_view attribute, const std::string& value)
      : Unsupported("\"" + std::string(attribute) + "\" is open " + value +
                    ", and has to be a number here; LoadOptions::fix_sizes may help") {}
};

}  // namespace h5bridge
