// Writing views of a model. Its public half is in <h5bridge/h5bridge.h>.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/h5bridge.h"

namespace h5bridge {

/// What a destination has no place for, a line each.
using Notes = std::vector<std::string>;

/// The types that floating-point weights may be rounded to, by name.
const std::map<std::string, DType>& rounding_dtypes();
/// nullopt for any other word.
std::optional<DType> rounding_dtype_named(const std::string& name);

/// States epoch and loss where the model's sources do not.
void complete_training(Model& model, std::optional<std::int64_t> epoch, std::optional<double> loss);

/// All that save() does, up to where destinations would be replaced: what it refuses is refused, and they stay.
Notes rehearse_save(const Model& model, const std::vector<std::string>& paths, const SaveOptions& options);

/// Where in `folder` a source that is a model of its own goes: its name, with the suffix of `format` in place of its
/// own. Throws UsageError for a format that there is not.
std::string destination_in(const std::string& folder, const std::string& source, const std::string& format);

/// The model as write_view expects it: checked and completed where a program may have made it, and with its weights in
/// the type that options.dtype asks for. Throws UsageError and MalformedFile as save() does.
Model prepared(const Model& model, const SaveOptions& options);
/// The same; nullopt where `model` is as it is to be: of ten thousand layers, a copy would be much.
std::optional<Model> completed_for(const Model& model, const SaveOptions& options);

/// Where to write a file that is to lie beside a destination, by its name, until all is done.
using PlaceBeside = std::function<std::string(const std::string& name)>;

/// Whether a file there keeps Model::reference.
bool has_place_for_reference(const std::string& destination, const SaveOptions& options);

/// Throws Unsupported where none of them does.
void require_place_for_reference(const std::vector<std::string>& destinations, const SaveOptions& options);

/// Whether all destinations are of formats that hold weights and nothing else.
bool hold_weights_alone(const std::vector<std::string>& destinations, const SaveOptions& options);

/// Writes one view to `path`, a temporary that will become `destination`: the suffix of that one tells the format, and
/// messages and notes name it. With options.lossless a note is an error, Unsupported. `destinations` are all that are
/// written at once: what one of them says is not left out.
void write_view(const Model& model, const std::string& path, const std::string& destination,
                const std::vector<std::string>& destinations, const SaveOptions& options, const PlaceBeside& beside,
                Notes& notes);

}  // namespace h5bridge
