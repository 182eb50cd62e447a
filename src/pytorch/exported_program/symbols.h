// The open sizes of an exported program, by the names that architectures give them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "h5bridge/json.h"
#include "h5bridge/size.h"

namespace h5bridge {

/// Its own names ("s77") are numbers that mean nothing: an axis of an input names the symbol that it is, or is a
/// multiple of ("batch", "length", "height", "height_by_2").
class ExportedSymbols {
 public:
  /// Takes the sizes of an input's axes ({"as_int": ...} or {"as_expr": ...}). All inputs come before sizes are read.
  void add_input(const std::string& name, const Json::Array& sizes, bool is_alone);

  /// The size that {"as_int": 3} or {"as_expr": {...}} is. Throws Unsupported for what no architecture can say.
  Size size(const Json& json) const;

 private:
  void add_axis(const std::string& own_name, std::int64_t factor, std::string wanted);

  std::map<std::string, std::string, std::less<>> names_;
  std::set<std::string> taken_;
};

}  // namespace h5bridge
