#include "convert/checked_save.h"

#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "convert/formats/format.h"
#include "convert/reference.h"
#include "convert/replacement.h"
#include "convert/save.h"
#include "convert/temporaries.h"
#include "convert/unread_bytes.h"
#include "h5bridge/error.h"
#include "passes/infer_shapes.h"
#include "passes/presentation.h"

namespace h5bridge {
namespace {

namespace fs = std::filesystem;

/// A folder beside a destination, so that what is in it can be renamed to there; removed at the end.
class SiblingFolder {
 public:
  explicit SiblingFolder(const std::string& destination) {
    std::string name = (fs::path(destination).parent_path() / ".h5bridge-XXXXXX").string();
    const auto undisturbed = keep_temporaries();
    if (!::mkdtemp(name.data())) throw SystemFailure(destination + ": " + std::strerror(errno));
    path_ = name;
    note_temporary(name);
  }
  ~SiblingFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    forget_temporary(path_.string());
  }
  SiblingFolder(const SiblingFolder&) = delete;
  SiblingFolder& operator=(const SiblingFolder&) = delete;

  std::string operator/(const fs::path& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

/// What was written to `path`; messages name the destination.
Model load_for(const std::string& destination, const std::string& path) {
  try {
    return load(path, {.key = {}, .allow_unexpected = true, .fix_sizes = {}});
  } catch (const Error& error) {
    std::string text = error.what();
    for (std::size_t at = text.find(path); at != std::string::npos; at = text.find(path, at + destination.size()))
      text.replace(at, path.size(), destination);
    rethrow_in_file(Error(error.status(), text), destination);
  }
}

/// What was written, completed with the half of the original that it does not hold.
Model read_back(const std::string& path, const std::string& destination, const Model& original) {
  Model view = load_for(destination, path);
  if (view.architecture && (!view.weights.empty() || parameters_of(*view.architecture).empty())) return view;
  // Architecture and weights are written in PyTorch's layout each.
  Model other = comparable(original);
  other.framework = Framework::Torch;
  if (view.architecture) other.architecture = std::move(view.architecture);
  if (!view.weights.empty()) other.weights = std::move(view.weights);
  return other;
}

void require_whole(const Model& model) {
  if (!model.architecture || (model.weights.empty() && !parameters_of(*model.architecture).empty()))
    throw UsageError("the check needs architecture and weights to run the model");
}

// What an exported program was traced with is sure to make sense, unless somebody asks for inputs of a kind.
std::vector<NamedTensor> inputs_for(const Model& model, const RandomInputs& wanted) {
  const Presentation looks = presentation_of(model);
  if (wanted == RandomInputs{})
    if (std::vector<NamedTensor> samples = sample_inputs(model, looks); !samples.empty()) return samples;
  return random_inputs(*model.architecture, looks, wanted);
}

}  // namespace

bool CheckedSave::agrees() const {
  return std::ranges::all_of(views, [](const CheckedView& view) { return view.comparison.agrees(); });
}

CheckedSave checked_save(const Model& model, const std::vector<std::string>& paths, const SaveOptions& options,
                         const CheckOptions& check) {
  require_whole(model);
  const std::vector<NamedTensor> inputs = inputs_for(model, check.inputs);
  const Model source = prepared(model, options);
  Replacement replacement;
  std::vector<std::pair<std::string, std::string>> renames;
  std::vector<std::unique_ptr<SiblingFolder>> folders;
  CheckedSave result;
  for (const std::string& path : paths) {
    const std::string temporary = replacement.temporary_for(path);
    folders.push_back(std::make_unique<SiblingFolder>(path));
    const std::string written = *folders.back() / fs::path(path).filename();
    const auto beside = [&](const std::string& name) {
      const std::string part = *folders.back() / name;
      renames.emplace_back(part, replacement.temporary_for((fs::path(path).parent_path() / name).string()));
      return part;
    };
    write_view(source, written, path, paths, options, beside, result.notes);
    renames.emplace_back(written, temporary);
    fs::permissions(written, fs::status(temporary).permissions());
    if (format_for(path, options.format).is_shown) continue;
    const RunOptions run{.device = check.device, .layout = model.framework};
    const Model view = read_back(written, path, model);
    result.views.push_back(
        {path, on_random_inputs([&] { return compare_outputs(model, view, inputs, run, check.tolerance); })});
  }
  check_unread(model);
  if (!result.agrees()) return result;
  for (const auto& [from, to] : renames) fs::rename(from, to);
  replacement.commit();
  return result;
}

}  // namespace h5bridge
