#include "pytorch/exported_program/tree.h"

#include "h5bridge/error.h"
#include "h5bridge/json.h"

namespace h5bridge {
namespace {

// Of a dict, whose context is the list of its keys as JSON; the context of a class's object may be the same.
std::vector<std::string> keys_of(const Json& node) {
  const Json* context = node.find("context");
  if (!context || !context->is_string()) return {};
  std::vector<std::string> result;
  try {
    const Json keys = Json::parse(context->as_string());
    if (!keys.is_array()) return {};
    for (const Json& key : keys.as_array()) result.push_back(key.is_string() ? key.as_string() : key.dump());
  } catch (const MalformedFile&) {
    return {};
  }
  return result;
}

void add_leaves(const Json& node, const std::string& name, std::vector<std::string>& result) {
  if (node.at("type").is_null()) {
    result.push_back(name);
    return;
  }
  const Json::Array& children = node.at("children_spec").as_array();
  const std::vector<std::string> keys = keys_of(node);
  for (std::size_t i = 0; i < children.size(); ++i) {
    const std::string own = keys.size() == children.size() ? keys[i] : std::to_string(i);
    add_leaves(children[i], name.empty() ? own : name + "." + own, result);
  }
}

}  // namespace

std::vector<std::string> keys_of_leaves(const std::string& treespec) {
  const Json json = Json::parse(treespec, "the form of the results");
  const Json::Array& versioned = json.as_array();
  if (versioned.size() != 2) throw MalformedFile("the form of the results is no version and tree");
  if (keys_of(versioned[1]).empty()) return {};
  std::vector<std::string> result;
  add_leaves(versioned[1], "", result);
  return result;
}

}  // namespace h5bridge
