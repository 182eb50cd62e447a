#include "files/keras_parts.h"

#include "h5bridge/error.h"

namespace h5bridge {

Json read_json(const hdf5::Object& object, const std::string& attribute) {
  const auto text = object.text(attribute);
  if (!text) return {};
  const std::string what = "attribute " + attribute + " of " + object.path();
  Json json = Json::parse(*text, what);
  const bool is_document = json.is_string() && json.as_string().starts_with('{');  // what to_json() gave, as JSON
  return is_document ? Json::parse(json.as_string(), what) : json;
}

void read_extra(const hdf5::Group& root, KerasFile& file) {
  if (!root.has(kExtraGroup)) return;
  const hdf5::Group ours = root.group(kExtraGroup);
  file.extra = read_json(ours, "metadata");
  if (!ours.has("tensors")) return;
  const hdf5::Group tensors = ours.group("tensors");
  for (std::size_t index = 0; tensors.has(std::to_string(index)); ++index) {
    const hdf5::DataSet data_set = tensors.data_set(std::to_string(index));
    const auto name = data_set.text("name");
    if (!name) throw MalformedFile(data_set.path() + " has no attribute name");
    file.extra_tensors.push_back({*name, data_set.tensor()});
  }
}

std::string taken_text(Json& tree) {
  std::string text = tree.dump();
  tree = Json();
  text.shrink_to_fit();
  return text;
}

void write_extra(const hdf5::NewGroup& root, KerasFile& file) {
  if (file.extra.is_null() && file.extra_tensors.empty()) return;
  const hdf5::NewGroup ours = root.create_group(kExtraGroup);
  if (!file.extra.is_null()) ours.set_text("metadata", taken_text(file.extra), hdf5::CharacterSet::Utf8);
  if (file.extra_tensors.empty()) return;
  const hdf5::NewGroup tensors = ours.create_group("tensors");
  for (std::size_t index = 0; index < file.extra_tensors.size(); ++index) {
    const auto& [name, tensor] = file.extra_tensors[index];
    tensors.write(std::to_string(index), tensor).set_text("name", name, hdf5::CharacterSet::Utf8);
  }
}

}  // namespace h5bridge
