// What save_weights("name") of tf.keras writes: a table of TensorFlow's (name.index), and its data beside it.
#include <algorithm>
#include <string_view>

#include "convert/formats/folder.h"
#include "convert/formats/format.h"

namespace h5bridge {
namespace {

constexpr const char* kDescribed = "a checkpoint of TensorFlow";
constexpr const char* kWayOut =
    "the program that made the model makes a .h5 of it: model.load_weights(\"NAME\"), NAME being without .index, then "
    "model.save(\"model.h5\")";

// A table ends with this number (tensorflow/core/lib/io/format.h).
bool is_table(const ByteSource& file) {
  constexpr std::string_view kMagic("\x57\xfb\x80\x8b\x24\x75\x47\xdb", 8);
  if (file.size() < kMagic.size()) return false;
  std::string end(kMagic.size(), '\0');
  file.read_at(file.size() - kMagic.size(), std::as_writable_bytes(std::span(end)));
  return end == kMagic;
}

// The file "checkpoint", which names the latest.
bool is_pointer(const ByteSource& file) {
  constexpr std::string_view kBegin = "model_checkpoint_path:";
  if (file.size() < kBegin.size()) return false;
  std::string begin(kBegin.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(begin)));
  return begin == kBegin;
}

}  // namespace

Format tensorflow_checkpoint_format() {
  return {
      .name = "tensorflow-checkpoint",
      .looks_like = [](const SourceFile& file) { return is_table(*file.bytes()) || is_pointer(*file.bytes()); },
      .described = kDescribed,
      .way_out = kWayOut,
  };
}

Format tensorflow_checkpoints_format() {
  return {
      .name = "tensorflow-checkpoint",
      .looks_like =
          [](const SourceFile& file) {
            const std::vector<std::string> names = names_in_folder(file.path());
            return std::ranges::any_of(names, [](const std::string& name) { return name.ends_with(".index"); }) &&
                   std::ranges::any_of(names, [](const std::string& name) {
                     return name.find(".data-00000-of-") != std::string::npos;
                   });
          },
      .is_folder = true,
      .described = kDescribed,
      .way_out = kWayOut,
  };
}

}  // namespace h5bridge
