// h5bridge: neural networks between PyTorch and Keras. This header reads, converts and writes; it needs no LibTorch.
// <h5bridge/torch.h> rebuilds and runs models.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "h5bridge/architecture.h"
#include "h5bridge/error.h"
#include "h5bridge/model.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// "1.2.3".
std::string_view version();

struct LoadOptions {
  std::string key{};                              // the entry of a checkpoint that holds the state_dict: "ema", "a.b"
  bool allow_unexpected = false;                  // carry along tensors that the architecture does not name
  std::map<std::string, std::int64_t> fix_sizes{};  // symbols bound to numbers
};

/// Reads the files that together make one model, in any order, each recognised by its content. Weights stay on disk until
/// used. Throws MalformedFile, Unsupported, SystemFailure, and UsageError where two sources state the same half.
Model load(const std::vector<std::string>& sources, const LoadOptions& options = {});
Model load(const std::string& source, const LoadOptions& options = {});

enum class DataFormat { ChannelsLast, ChannelsFirst };

struct SaveOptions {
  std::string format{};                    // a FORMAT of interface.md; empty: the path's suffix tells
  std::optional<DataFormat> data_format{};  // of Keras destinations
  bool optimizer = true;                   // write the training state where the format holds one
  bool checkpoint = false;                 // torch: the dict {epoch, model_state_dict, optimizer_state_dict, loss}
  std::optional<DType> dtype{};            // floating-point weights are rounded to it
};

/// Writes one view of the model. The path holds the old file or the whole new one, never a part.
void save(const Model& model, const std::string& path, const SaveOptions& options = {});
/// Several views of one model: all are written beside their destinations first, then renamed.
void save(const Model& model, const std::vector<std::string>& paths, const SaveOptions& options = {});

}  // namespace h5bridge
