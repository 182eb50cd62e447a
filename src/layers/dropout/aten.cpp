#include <algorithm>

#include "facets/aten/row.h"
#include "facets/spec/kernel.h"
#include "h5bridge/error.h"

namespace h5bridge::dropout {
namespace {

using aten::Call;
using aten::Row;

// Whether it drops is the module's mode, which no file has. A function that is told to do so always is another thing.
void in_evaluation(Call& call) {
  if (call.take("train") != Json(true)) return;
  if (call.module_class().empty()) throw Unsupported("stays active in evaluation mode (train=True)");
  call.notes.push_back("was exported in training mode, and is read as in evaluation");
}

// Of whole channels; the number of axes tells which module that is, unless it says so itself.
void of_channels(Call& call) {
  in_evaluation(call);
  const std::string module = call.module_class();
  call.type = module.starts_with("Dropout") && module.ends_with('d')
                  ? module
                  : "Dropout" + torch_suffix(std::clamp<std::size_t>(call.shape().size(), 3, 5) - 2);
}

Row dropout(std::vector<std::string> operators, const std::string& type) {
  return {.operators = std::move(operators), .type = type, .adjust = in_evaluation, .is_view = true};
}

}  // namespace

std::vector<Row> aten_rows() {
  return {dropout({"dropout", "native_dropout"}, "Dropout"),
          dropout({"alpha_dropout"}, "AlphaDropout"),
          dropout({"feature_alpha_dropout"}, "FeatureAlphaDropout"),
          {.operators = {"feature_dropout"}, .type = "Dropout2d", .adjust = of_channels, .is_view = true}};
}

}  // namespace h5bridge::dropout
