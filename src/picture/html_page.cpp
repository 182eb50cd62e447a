#include "picture/html_page.h"

#include <map>
#include <set>
#include <string_view>

#include "h5bridge/error.h"
#include "model/one_line.h"
#include "picture/page_parts.h"
#include "picture/picture.h"
#include "picture/tensor_statistics.h"

namespace h5bridge {
namespace {

Json lists_of(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Json::Array list;
  for (const auto& [name, value] : pairs) list.push_back(Json::Array{name, value});
  return list;
}

using Findings = std::map<std::string, PageComparison::Finding>;

// By the names that a picture shows.
Findings shown(const Findings& findings) {
  Findings result;
  for (const auto& [name, finding] : findings) result.emplace(shown_name(name), finding);
  return result;
}

const PageComparison::Finding* finding_of(const Findings& findings, const std::string& name) {
  const auto found = findings.find(name);
  return found == findings.end() ? nullptr : &found->second;
}

Json finding_to_json(const PageComparison::Finding* finding) {
  return finding ? Json(Json::Object{{"agrees", finding->agrees}, {"text", finding->text}}) : Json();
}

// What there is to say of a box as a whole: what differs in it counts before what it gives.
Json state_of(const Picture::Box& box, const Findings& tensors, const PageComparison::Finding* output) {
  bool is_compared = output != nullptr;
  for (const Picture::WeightTensor& tensor : box.tensors)
    if (const PageComparison::Finding* finding = finding_of(tensors, tensor.name)) {
      if (!finding->agrees) return "weights";
      is_compared = true;
    }
  if (output && !output->agrees) return "output";
  return is_compared ? Json("agrees") : Json();
}

// Those of a box, then what the other model has in place of them.
Json settings_of(const Picture::Box& box, const PageComparison& compared) {
  std::vector<std::pair<std::string, std::string>> settings = box.settings;
  const auto other = compared.settings.find(box.name);
  if (other != compared.settings.end()) settings.insert(settings.end(), other->second.begin(), other->second.end());
  return lists_of(settings);
}

Json box_to_json(const Picture::Box& box, const PageComparison& compared) {
  Json::Array tensors;
  for (const Picture::WeightTensor& tensor : box.tensors)
    tensors.push_back(Json::Object{{"name", tensor.name},
                                   {"shape", tensor.shape},
                                   {"dtype", tensor.dtype},
                                   {"word", tensor.word},
                                   {"compared", finding_to_json(finding_of(compared.tensors, tensor.name))}});
  const bool is_call = box.kind != Picture::Kind::Input && box.kind != Picture::Kind::Output;
  const PageComparison::Finding* output = is_call ? finding_of(compared.outputs, box.name) : nullptr;
  return Json::Object{{"name", box.name},
                      {"type", box.type},
                      {"layer", box.layer},
                      {"kind", name_of(box.kind)},
                      {"group", box.group ? Json(*box.group) : Json()},
                      {"shapes", Json::array(box.shape_lines())},
                      {"torch", Json::array(box.torch_shapes)},
                      {"keras", Json::array(box.keras_shapes)},
                      {"parameters", box.parameters},
                      {"state", state_of(box, compared.tensors, output)},
                      {"compared", finding_to_json(output)},
                      {"settings", settings_of(box, compared)},
                      {"tensors", std::move(tensors)}};
}

Json statistics_by_name(const Picture& picture, const Weights& weights) {
  std::map<std::string, const Tensor*> known;
  for (const auto& [name, tensor] : weights) known.emplace(shown_name(name), &tensor);
  Json::Object result;
  for (const Picture::Box& box : picture.boxes)
    for (const Picture::WeightTensor& wanted : box.tensors) {
      const auto found = known.find(wanted.name);
      if (found == known.end() || result.contains(wanted.name)) continue;
      try {
        result.set(wanted.name, to_json(statistics_of(*found->second)));
      } catch (const Unsupported&) {  // elements that are no numbers have no histogram
      }
    }
  return result;
}

struct Totals {
  std::int64_t layers = 0;
  std::int64_t calls = 0;
  std::int64_t parameters = 0;
  std::int64_t frozen = 0;
};

Totals totals_of(const Picture& picture) {
  Totals totals;
  std::set<std::string> layers;
  for (const Picture::Box& box : picture.boxes) {
    if (box.kind != Picture::Kind::Input && box.kind != Picture::Kind::Output) {
      ++totals.calls;
      layers.insert(box.layer.empty() ? box.name : box.layer);
    }
    totals.parameters += box.parameters;
    totals.frozen += box.frozen_parameters;
  }
  totals.layers = static_cast<std::int64_t>(layers.size());
  return totals;
}

Json comparison_to_json(const PageComparison& comparison) {
  Json::Array differences;
  for (const std::string& line : comparison.differences) differences.push_back(one_line(line));
  return Json::Object{{"other", shown_name(comparison.other)},
                      {"has_outputs", !comparison.outputs.empty()},
                      {"differences", std::move(differences)}};
}

Json page_model(const Model& model, const PageComparison* comparison) {
  const Picture picture = picture_of(model);
  const Totals totals = totals_of(picture);
  const std::string count = with_commas(totals.layers);
  const std::string layers =
      count + " layers" + (totals.calls == totals.layers ? "" : " (" + with_commas(totals.calls) + " calls)");
  const std::string parameters = with_commas(totals.parameters) + " parameters";
  std::vector<std::pair<std::string, std::string>> facts{
      {"format", model.format},
      {"from", model.framework == Framework::Keras ? "Keras" : "PyTorch"},
      {"layers", totals.calls == totals.layers ? count : count + ", called " + with_commas(totals.calls) + " times"},
      {"parameters, without buffers", with_commas(totals.parameters)},
      {"trainable", with_commas(totals.parameters - totals.frozen)}};
  PageComparison compared;
  if (comparison) compared = {comparison->other, shown(comparison->tensors), shown(comparison->outputs), {}, {}};
  if (comparison)
    for (const auto& [name, settings] : comparison->settings) compared.settings.emplace(shown_name(name), settings);
  Json::Array boxes, arrows, groups, notes;
  for (const Picture::Box& box : picture.boxes) boxes.push_back(box_to_json(box, compared));
  for (const Picture::Arrow& arrow : picture.arrows)
    arrows.push_back(Json::Object{{"from", arrow.from}, {"to", arrow.to}, {"label", arrow.label}});
  for (const Picture::Group& group : picture.groups)
    groups.push_back(Json::Object{{"name", group.name}, {"parent", group.parent ? Json(*group.parent) : Json()}});
  for (const std::string& note : model.notes) notes.push_back(one_line(note));
  return Json::Object{{"name", picture.name},
                      {"summary", layers + ", " + parameters},
                      {"facts", lists_of(facts)},
                      {"notes", std::move(notes)},
                      {"boxes", std::move(boxes)},
                      {"arrows", std::move(arrows)},
                      {"groups", std::move(groups)},
                      {"statistics", statistics_by_name(picture, model.weights)},
                      {"comparison", comparison ? comparison_to_json(*comparison) : Json()}};
}

// Nothing in it ends the element that it stands in, or begins another.
std::string within_script(const Json& json) {
  std::string result;
  for (const char letter : json.dump()) {
    if (letter == '<')
      result += "\\u003c";
    else
      result += letter;
  }
  return result;
}

}  // namespace

void write_html(const Model& model, std::ostream& out, const PageComparison* comparison) {
  const std::map<std::string_view, std::string> parts{
      {"STYLE", kPageStyle}, {"MODEL", within_script(page_model(model, comparison))}, {"SCRIPT", kPageScript}};
  for (std::string_view rest = kPageText; !rest.empty();) {
    const std::size_t begin = rest.find('@');
    out << rest.substr(0, begin);
    if (begin == std::string_view::npos) return;
    const std::size_t end = rest.find('@', begin + 1);
    out << parts.at(rest.substr(begin + 1, end - begin - 1));
    rest.remove_prefix(end + 1);
  }
}

}  // namespace h5bridge
