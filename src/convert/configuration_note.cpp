#include "convert/configuration_note.h"

#include "files/digest.h"

namespace h5bridge {
namespace {

constexpr const char* kNote = "configuration";

// What both forms of a file have of it: a .keras says besides where its class lives.
std::string digest_of(const Json& model_config) { return digest(model_config.at("config")); }

}  // namespace

void note_configuration(KerasFile& file) {
  if (file.extra.find("architecture") && file.model_config.is_object())
    file.extra.as_object().set(kNote, digest_of(file.model_config));
}

bool has_changed_configuration(const KerasFile& file) {
  const Json* noted = file.extra.find(kNote);
  if (!noted || !noted->is_string() || !file.model_config.find("config")) return false;
  return digest_of(file.model_config) != noted->as_string();
}

}  // namespace h5bridge
