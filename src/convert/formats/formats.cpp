// The rows together, and how one is found.
#include <algorithm>
#include <filesystem>

#include "convert/formats/format.h"
#include "convert/model_check.h"
#include "convert/picture_file.h"
#include "h5bridge/error.h"
#include "model/did_you_mean.h"
#include "model/quoted.h"

namespace h5bridge {

#define H5BRIDGE_FORMAT(file) Format file##_format();
#include "convert/formats/formats.def"
#undef H5BRIDGE_FORMAT

namespace {

// {"theirs": "ours"}, as LoadOptions::names has it.
bool is_map_of_names(const Json& json) {
  const Json::Object& members = json.as_object();
  return !members.empty() && std::ranges::all_of(members, [](const auto& member) { return member.second.is_string(); });
}

[[noreturn]] void refuse_unknown_content(const SourceFile& file) {
  if (file.zip()) throw MalformedFile("is a zip archive without a model in it");
  if (file.path().ends_with(".py"))
    throw MalformedFile("is Python source, which is not run; " + ways_to_architecture(file.path() + ":CLASS"));
  if (file.json() && is_map_of_names(*file.json()))
    throw MalformedFile("is JSON, but no architecture: it is a map of names, for LoadOptions::names");
  if (file.json())
    throw MalformedFile("is JSON, but no architecture: it has neither \"h5bridge\" nor \"class_name\" and \"config\"");
  throw MalformedFile("is neither HDF5, nor what torch.save writes, nor safetensors, nor JSON");
}

std::vector<std::string> destination_suffixes() {
  std::vector<std::string> suffixes;
  for (const Format& format : formats())
    if (format.write) suffixes.insert(suffixes.end(), format.suffixes.begin(), format.suffixes.end());
  return suffixes;
}

}  // namespace

const std::vector<Format>& formats() {
  static const std::vector<Format> rows{
#define H5BRIDGE_FORMAT(file) file##_format(),
#include "convert/formats/formats.def"
#undef H5BRIDGE_FORMAT
  };
  return rows;
}

const Format& recognise(const SourceFile& file) {
  if (!file.is_folder() && file.bytes()->size() == 0) throw MalformedFile("is empty");
  for (const Format& format : formats()) {
    if (!format.looks_like || format.is_folder != file.is_folder() || !format.looks_like(file)) continue;
    if (!format.read)
      throw Unsupported("is " + format.described +
                        (format.way_out.empty() ? ", which h5bridge does not read yet"
                                                : ", which h5bridge does not read: " + format.way_out));
    return format;
  }
  refuse_unknown_content(file);
}

std::vector<std::string> destination_names() {
  std::vector<std::string> names;
  for (const Format& format : formats())
    if (format.write) names.push_back(format.name);
  return names;
}

std::string format_names() { return joined(destination_names()); }

std::string format_suffixes() { return joined(destination_suffixes(), " "); }

std::pair<const Format*, std::string> format_by_suffix(const std::string& path) {
  std::pair<const Format*, std::string> best{nullptr, ""};
  for (const Format& format : formats())
    for (const std::string& suffix : format.suffixes)
      if (path.ends_with(suffix) && suffix.size() > best.second.size()) best = {&format, suffix};
  return best;
}

const Format& format_for(const std::string& path, const std::string& wanted) {
  const Format* best = format_by_suffix(path).first;
  if (!wanted.empty()) {
    const auto named = std::ranges::find_if(
        formats(), [&](const Format& format) { return format.name == wanted && format.is_destination(); });
    best = named == formats().end() ? nullptr : &*named;
  }
  if (!best && !wanted.empty())
    throw UsageError("no format is called \"" + wanted + "\"; there are " + format_names() +
                     did_you_mean(wanted, destination_names()));
  if (!best && is_picture_path(path))
    throw UsageError(path + ": pictures are drawn by h5bridge plot: plot SOURCE... -o " + path);
  if (!best)
    throw UsageError(path + ": its suffix does not tell the format; say SaveOptions::format with one of " +
                     format_names() + "; suffixes that do are " + format_suffixes() +
                     did_you_mean(std::filesystem::path(path).extension().string(), destination_suffixes()));
  if (!best->write) throw Unsupported(path + ": the format " + best->name + " is not written yet");
  return *best;
}

}  // namespace h5bridge
