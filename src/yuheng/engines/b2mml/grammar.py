"""What may stand in the B2MML documents we exchange: names, order, how often, types, code lists.

Our own tables of the facts of the public schemas, versions 0700 and 0701, for the types that operations schedules and
performance, material and equipment information reach; ``tests`` and ``yuheng b2mml --schemas`` compare documents
with the schemas themselves, which are not part of this program. The Business To Manufacturing Markup Language (B2MML)
is used courtesy of MESA International.

A type is written as its elements in order, ``Name:Type``: ``?`` may stand once, ``*`` any number of times, ``+`` at
least once, nothing exactly once; ``~`` may be nil; ``a|b`` one of two.

References
----------
MESA International, B2MML version 7, https://github.com/MESAInternational/B2MML-BatchML; ANSI/ISA-95.00.02-2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NAMESPACE = "http://www.mesa.org/xml/B2MML"
EXTENSIONS = "http://www.mesa.org/xml/B2MML-AllExtensions"
RELEASE = "0700"
UNBOUNDED = 1 << 30


class Kind(StrEnum):
    """What the text of an element is."""

    IDENTIFIER = "identifier"
    TEXT = "text"
    CODE = "code"
    ENUM = "enum"
    ANY = "any"
    DATE_TIME = "date_time"
    DURATION = "duration"
    NUMERIC = "numeric"
    TOKEN = "token"
    EXPRESSION = "expression"
    OPAQUE = "opaque"
    """Anything well-formed; not looked into."""


@dataclass(frozen=True, slots=True)
class Simple:
    """Text with attributes. ``codes``: what it may say; ``has_other``: ``Other`` is explained by ``OtherValue``."""

    kind: Kind
    attributes: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Particle:
    """Elements at one place: any of ``names`` (all of one type), from ``least`` to ``most`` times."""

    names: tuple[str, ...]
    type_name: str
    least: int
    most: int
    is_nillable: bool


@dataclass(frozen=True, slots=True)
class Complex:
    """Elements in order; ``attributes`` name -> required."""

    particles: tuple[Particle, ...]
    attributes: tuple[tuple[str, bool], ...] = ()


_SCHEME = frozenset({"schemeID", "schemeName", "schemeAgencyID", "schemeAgencyName", "schemeVersionID"}) | {
    "schemeDataURI",
    "schemeURI",
}
_LIST = frozenset({"listID", "listAgencyID", "listAgencyName", "listName", "listVersionID", "name", "languageID"}) | {
    "listURI",
    "listSchemeURI",
}
_GENERIC = frozenset({
    "currencyID", "currencyCodeListVersionID", "encodingCode", "format", "characterSetCode", "listID",
    "listAgencyID", "listAgencyName", "listName", "listVersionID", "languageID", "languageLocaleID",
    "listURI", "listSchemaURI", "mimeCode", "name", "schemaID", "schemaName", "schemaAgencyID",
    "schemaAgencyName", "schemaVersionID", "schemaDataURI", "schemaURI", "unitCode", "unitCodeListID",
    "unitCodeListAgencyID", "unitCodeListAgencyName", "unitCodeListVersionID", "filename", "uri",
})  # fmt: skip


def _codes(text: str, *, has_other: bool = True) -> Simple:
    found = frozenset(one.strip() for one in text.split(","))
    return Simple(Kind.ENUM, _LIST | ({"OtherValue"} if has_other else set()), found)


SIMPLE: dict[str, Simple] = {
    "Identifier": Simple(Kind.IDENTIFIER, _SCHEME),
    "Text": Simple(Kind.TEXT, frozenset({"languageID"})),
    "Code": Simple(Kind.CODE, _LIST),
    "AnyValue": Simple(Kind.ANY, _GENERIC),
    "DateTime": Simple(Kind.DATE_TIME, frozenset({"format"})),
    "Duration": Simple(Kind.DURATION),
    "Numeric": Simple(Kind.NUMERIC, frozenset({"format"})),
    "Token": Simple(Kind.TOKEN),
    "Expression": Simple(Kind.EXPRESSION, frozenset({"actionCode", "expressionLanguage"})),
    "Opaque": Simple(Kind.OPAQUE),
    "AssemblyRelationship": _codes("Permanent, Transient, Other"),
    "AssemblyType": _codes("Physical, Logical, Other"),
    "ClassPropertyType": _codes("ClassType, InstanceType, DefaultType, Other", has_other=False),
    "ConfirmationCode": _codes("Always, Never, OnError", has_other=False),
    "DataType": _codes(
        "Amount, BinaryObject, Code, DateTime, Identifier, Indicator, Measure, Numeric, Quantity, Text, string, byte,"
        " unsignedByte, binary, integer, positiveInteger, negativeInteger, nonNegativeInteger, nonPositiveInteger, int,"
        " unsignedInt, long, unsignedLong, short, unsignedShort, decimal, float, double, boolean, time, timeInstant,"
        " timePeriod, duration, date, dateTime, month, year, century, recurringDay, recurringDate, recurringDuration,"
        " Name, QName, NCName, uriReference, language, ID, IDREF, IDREFS, ENTITY, ENTITIES, NOTATION, NMTOKEN,"
        " NMTOKENS, Enumeration, SVG, Other"
    ),
    "Disposition": _codes("Planned, In-Process, Restricted, UnRestricted, Closed, Other"),
    "EquipmentLevel": _codes(
        "Enterprise, Site, Area, ProcessCell, Unit, ProductionLine, WorkCell, ProductionUnit, StorageZone,"
        " StorageUnit, WorkCenter, WorkUnit, EquipmentModule, ControlModule, Other"
    ),
    "MaterialUse": _codes(
        "Consumable, Consumed, Produced, By-product Produced, Co-product Produced, Yield Produced, Material Consumed,"
        " Material Produced, Destructive Sample, Returned Sample, Retained Sample, Inventoried, Other"
    ),
    "OperationsType": _codes("Production, Maintenance, Quality, Inventory, Mixed, Other"),
    "RequestState": _codes(
        "Forecast, Released, Waiting, Cancelled, Ready, Running, Completed, Aborted, Held, Suspended, Closed, Other"
    ),
    "RequiredBy": _codes("Required, Optional, Other"),
    "LocationType": _codes(
        "Operational Location ID, Operational Location, Equipment, Person, Physical Asset, Description, Other"
    ),
    # Paused came with 0701; we read it and never write it.
    "ResponseState": _codes("Waiting, Ready, Running, Completed, Aborted, Held, Paused, Suspended, Closed, Other"),
    "SpatialFormat": _codes("WKT, WKB, GML, KML, GPX, GeoJSON, SVG, Other"),
}

_ABOUT = "ID:Identifier Description:Text*"
_RESPONSE = "RequiredByRequestedSegmentResponse:RequiredBy?"
_TYPES: dict[str, str] = {
    # ---- what many use ----------------------------------------------------------------------------------------------
    "Quantity": "QuantityString:AnyValue~ DataType:DataType?~ UnitOfMeasure:Code?~ Key:Identifier?",
    "Value": "ValueString:AnyValue~ DataType:DataType?~ UnitOfMeasure:Code?~ Key:Identifier?",
    "HierarchyScope": "EquipmentID:Identifier EquipmentElementLevel|EquipmentLevel:EquipmentLevel"
    " HierarchyScopeChild:HierarchyScope?",
    "ResourceLocation": "Location:Text LocationType:LocationType",
    "SpatialDefinition": "Value:Text Format:SpatialFormat SRID:Identifier? SRIDAuthority:Text?",
    "Parameter": "ID:Identifier Value:Value* Description:Text* HierarchyScope:HierarchyScope? ParameterChild:Parameter*"
    " ParameterSpecificationID:Identifier* ProcessSegmentParameterID:Identifier*",
    "EquipmentAssetMapping": "EquipmentID:Identifier PhysicalAssetID:Identifier HierarchyScope:HierarchyScope?"
    " StartTime:DateTime? EndTime:DateTime?",
    # ---- envelopes --------------------------------------------------------------------------------------------------
    "ApplicationArea": "Sender:Sender? Receiver:Receiver* CreationDateTime:DateTime Signature:Opaque?"
    " BODID:Identifier? UserArea:Opaque?",
    "Sender": "LogicalID:Identifier? ComponentID:Identifier? TaskID:Identifier? ReferenceID:Identifier?"
    " ConfirmationCode:ConfirmationCode? AuthorizationID:Identifier?",
    "Receiver": "LogicalID:Identifier? ComponentID:Identifier? ID:Identifier*",
    "ActionCriteria": "ActionExpression:Expression* ChangeStatus:ChangeStatus?",
    "ResponseCriteria": "ResponseExpression:Expression? ChangeStatus:ChangeStatus?",
    "ChangeStatus": "Code:Code? Description:Text* EffectiveDateTime:DateTime? ReasonCode:Code? Reason:Code*"
    " StateChange:StateChange* UserArea:Opaque?",
    "StateChange": "FromStateCode:Code? ToStateCode:Code? ChangeDateTime:DateTime? Description:Text* Note:Text*"
    " UserArea:Opaque?",
    "Acts": "ActionCriteria:ActionCriteria*",
    "Answers": "OriginalApplicationArea:ApplicationArea? ResponseCriteria:ResponseCriteria*",
    "Asks": "Expression:Token*",
    # ---- operations schedule ----------------------------------------------------------------------------------------
    "OperationsSchedule": f"{_ABOUT} Version:Identifier? PublishedDate:DateTime? StartTime:DateTime? EndTime:DateTime?"
    " HierarchyScope:HierarchyScope? OperationsType:OperationsType? ScheduleState:RequestState?"
    " OperationsRequest:OperationsRequest+",
    "OperationsRequest": f"{_ABOUT} Version:Identifier? StartTime:DateTime? EndTime:DateTime?"
    " HierarchyScope:HierarchyScope? OperationsType:OperationsType? Priority:Numeric? RequestState:RequestState?"
    " OperationsDefinitionID:Identifier? OperationsSegmentID:Identifier? SegmentRequirement:SegmentRequirement+"
    f" RequestedSegmentResponse:SegmentResponse* {_RESPONSE}",
    "SegmentRequirement": f"{_ABOUT} Version:Identifier? EarliestStartTime:DateTime? LatestEndTime:DateTime?"
    " HierarchyScope:HierarchyScope? OperationsType:OperationsType? ProcessSegmentID:Identifier Duration:Duration?"
    " OperationsDefinitionID:Identifier OperationsSegmentID:Identifier SegmentState:RequestState?"
    " SegmentParameter:Parameter* PersonnelRequirement:PersonnelRequirement*"
    " EquipmentRequirement:EquipmentRequirement* PhysicalAssetRequirement:PhysicalAssetRequirement*"
    " MaterialRequirement:MaterialRequirement* SegmentRequirementChild:SegmentRequirement*"
    f" RequestedSegmentResponse:SegmentResponse* {_RESPONSE}",
    "PersonnelRequirement": "ID:Identifier PersonnelClassID:Identifier* PersonID:Identifier* Description:Text*"
    " PersonnelUse:Code? Quantity:Quantity* HierarchyScope:HierarchyScope? SpatialDefinition:SpatialDefinition?"
    " OperationalLocation:ResourceLocation? PersonnelRequirementChild:PersonnelRequirement*"
    f" PersonnelRequirementProperty:PersonnelRequirementProperty* {_RESPONSE} TestSpecificationID:Identifier*",
    "PersonnelRequirementProperty": f"{_ABOUT} Value:Value* Quantity:Quantity* PersonnelClassPropertyID:Identifier?"
    " PersonPropertyID:Identifier? PersonnelRequirementPropertyChild:PersonnelRequirementProperty*"
    f" {_RESPONSE}",
    "EquipmentRequirement": "ID:Identifier EquipmentClassID:Identifier* EquipmentID:Identifier* Description:Text*"
    " EquipmentUse:Code? Quantity:Quantity* HierarchyScope:HierarchyScope? SpatialDefinition:SpatialDefinition?"
    " OperationalLocation:ResourceLocation? EquipmentLevel:HierarchyScope?"
    " EquipmentRequirementChild:EquipmentRequirement* EquipmentRequirementProperty:EquipmentRequirementProperty*"
    f" {_RESPONSE} TestSpecificationID:Identifier*",
    "EquipmentRequirementProperty": f"{_ABOUT} Value:Value* Quantity:Quantity* EquipmentClassPropertyID:Identifier?"
    f" EquipmentPropertyID:Identifier? EquipmentRequirementPropertyChild:EquipmentRequirementProperty* {_RESPONSE}",
    "PhysicalAssetRequirement": "ID:Identifier PhysicalAssetClassID:Identifier* PhysicalAssetID:Identifier*"
    " Description:Text* PhysicalAssetUse:Code? Quantity:Quantity* HierarchyScope:HierarchyScope?"
    " SpatialDefinition:SpatialDefinition? PhysicalLocation:ResourceLocation? EquipmentLevel:HierarchyScope?"
    " PhysicalAssetRequirementChild:PhysicalAssetRequirement*"
    f" PhysicalAssetRequirementProperty:PhysicalAssetRequirementProperty* {_RESPONSE} TestSpecificationID:Identifier*",
    "PhysicalAssetRequirementProperty": f"{_ABOUT} Value:Value* Quantity:Quantity*"
    " PhysicalAssetClassPropertyID:Identifier? PhysicalAssetPropertyID:Identifier?"
    f" PhysicalAssetRequirementPropertyChild:PhysicalAssetRequirementProperty* {_RESPONSE}",
    "MaterialRequirement": "ID:Identifier MaterialClassID:Identifier* MaterialDefinitionID:Identifier*"
    " MaterialLotID:Identifier* MaterialSubLotID:Identifier* Description:Text* MaterialUse:MaterialUse?"
    " SpatialDefinition:SpatialDefinition? StorageLocation:ResourceLocation? Quantity:Quantity*"
    " AssemblyRequirement:MaterialRequirement* AssemblyType:AssemblyType? AssemblyRelationship:AssemblyRelationship?"
    " HierarchyScope:HierarchyScope? MaterialRequirementProperty:MaterialRequirementProperty*"
    f" {_RESPONSE} TestSpecificationID:Identifier*",
    "MaterialRequirementProperty": f"{_ABOUT} Value:Value* Quantity:Quantity* MaterialClassPropertyID:Identifier?"
    " MaterialDefinitionPropertyID:Identifier? MaterialLotPropertyID:Identifier?"
    f" MaterialRequirementPropertyChild:MaterialRequirementProperty* {_RESPONSE}",
    # ---- operations performance -------------------------------------------------------------------------------------
    "OperationsPerformance": f"{_ABOUT} Version:Identifier? PublishedDate:DateTime? StartTime:DateTime?"
    " Endtime:DateTime? HierarchyScope:HierarchyScope? OperationsType:OperationsType?"  # Endtime: so in the schema
    " OperationsScheduleID:Identifier? PerformanceState:ResponseState? OperationsResponse:OperationsResponse+",
    "OperationsResponse": f"{_ABOUT} Version:Identifier? StartTime:DateTime? EndTime:DateTime?"
    " HierarchyScope:HierarchyScope? OperationsType:OperationsType? OperationsRequestID:Identifier*"
    " SegmentRequirementID:Identifier* OperationsDefinitionID:Identifier* OperationsSegmentID:Identifier*"
    " ResponseState:ResponseState? SegmentResponse:SegmentResponse+",
    "SegmentResponse": f"{_ABOUT} PublishedDate:DateTime? PostingDate:DateTime? ActualStartTime:DateTime?"
    " ActualEndTime:DateTime? HierarchyScope:HierarchyScope? OperationsType:OperationsType?"
    " ProcessSegmentID:Identifier* OperationsRequestID:Identifier* SegmentRequirementID:Identifier*"
    " OperationsDefinitionID:Identifier* OperationsSegmentID:Identifier* WorkResponseID:Identifier*"
    " JobResponseID:Identifier* SegmentState:ResponseState? SegmentData:SegmentData*"
    " PersonnelActual:PersonnelActual* EquipmentActual:EquipmentActual* PhysicalAssetActual:PhysicalAssetActual*"
    f" MaterialActual:MaterialActual* SegmentResponseChild:SegmentResponse* {_RESPONSE}",
    "SegmentData": f"{_ABOUT} HierarchyScope:HierarchyScope? Value:Value* SegmentDataChild:SegmentData* {_RESPONSE}",
    "PersonnelActual": "ID:Identifier PersonnelClassID:Identifier* PersonID:Identifier* Description:Text*"
    " PersonnelUse:Code? Quantity:Quantity* HierarchyScope:HierarchyScope? SpatialDefinition:SpatialDefinition?"
    " OperationalLocation:ResourceLocation? TestResult:Opaque* PersonnelActualProperty:PersonnelActualProperty*"
    f" PersonnelActualChild:PersonnelActual* {_RESPONSE}",
    "PersonnelActualProperty": f"{_ABOUT} Value:Value* Quantity:Quantity*"
    " PersonnelActualPropertyChild:PersonnelActualProperty* PersonnelClassPropertyID:Identifier?"
    f" PersonPropertyID:Identifier? {_RESPONSE}",
    "EquipmentActual": "ID:Identifier EquipmentClassID:Identifier* EquipmentID:Identifier* Description:Text*"
    " EquipmentUse:Code? Quantity:Quantity* HierarchyScope:HierarchyScope? SpatialDefinition:SpatialDefinition?"
    " OperationalLocation:ResourceLocation? TestResult:Opaque* EquipmentActualProperty:EquipmentActualProperty*"
    f" EquipmentActualChild:EquipmentActual* {_RESPONSE}",
    "EquipmentActualProperty": f"{_ABOUT} Value:Value* Quantity:Quantity*"
    " EquipmentActualPropertyChild:EquipmentActualProperty* EquipmentClassPropertyID:Identifier?"
    f" EquipmentPropertyID:Identifier? {_RESPONSE}",
    "PhysicalAssetActual": "ID:Identifier PhysicalAssetClassID:Identifier* PhysicalAssetID:Identifier*"
    " Description:Text* PhysicalAssetUse:Code? Quantity:Quantity* HierarchyScope:HierarchyScope?"
    " SpatialDefinition:SpatialDefinition? PhysicalLocation:ResourceLocation? TestResult:Opaque*"
    " PhysicalAssetActualProperty:PhysicalAssetActualProperty*"
    f" PhysicalAssetActualChild:PhysicalAssetActual* {_RESPONSE}",
    "PhysicalAssetActualProperty": f"{_ABOUT} Value:Value* Quantity:Quantity*"
    " PhysicalAssetActualPropertyChild:PhysicalAssetActualProperty* PhysicalAssetClassPropertyID:Identifier?"
    f" PhysicalAssetPropertyID:Identifier? {_RESPONSE}",
    "MaterialActual": "ID:Identifier MaterialClassID:Identifier* MaterialDefinitionID:Identifier*"
    " MaterialLotID:Identifier* MaterialSubLotID:Identifier* Description:Text* MaterialUse:MaterialUse?"
    " SpatialDefinition:SpatialDefinition? StorageLocation:ResourceLocation? Quantity:Quantity*"
    " AssemblyActual:MaterialActual* AssemblyType:AssemblyType? AssemblyRelationship:AssemblyRelationship?"
    " HierarchyScope:HierarchyScope? TestResult:Opaque* MaterialActualProperty:MaterialActualProperty*"
    f" {_RESPONSE}",
    "MaterialActualProperty": f"{_ABOUT} Value:Value* Quantity:Quantity*"
    " MaterialActualPropertyChild:MaterialActualProperty* MaterialClassPropertyID:Identifier?"
    f" MaterialDefinitionPropertyID:Identifier? MaterialLotPropertyID:Identifier? {_RESPONSE}",
    # ---- material ---------------------------------------------------------------------------------------------------
    "MaterialInformation": "ID:Identifier?~ Description:Text*~ HierarchyScope:HierarchyScope?~"
    " PublishedDate:DateTime?~ MaterialClass:MaterialClass*~ MaterialDefinition:MaterialDefinition*~"
    " MaterialLot:MaterialLot*~ MaterialSubLot:MaterialSubLot*~ TestSpecification:Opaque*~",
    "MaterialClass": "ID:Identifier Version:Identifier? Description:Text* PublishedDate:DateTime?~"
    " EffectiveStartDate:DateTime? EffectiveEndDate:DateTime? HierarchyScope:HierarchyScope?"
    " MaterialClassBaseID:Identifier* MaterialClassProperty:MaterialClassProperty*"
    " MaterialDefinitionSourceID:Identifier* TestSpecificationID:Identifier* AssemblyClass:MaterialClass*"
    " AssemblyType:AssemblyType? AssemblyRelationship:AssemblyRelationship?",
    "MaterialClassProperty": f"{_ABOUT} PropertyType:ClassPropertyType? Value:Value*"
    " MaterialClassPropertyChild:MaterialClassProperty*",
    "MaterialDefinition": "ID:Identifier Version:Identifier? Description:Text* PublishedDate:DateTime?~"
    " EffectiveStartDate:DateTime? EffectiveEndDate:DateTime? HierarchyScope:HierarchyScope?"
    " SpatialDefinition:SpatialDefinition? MaterialDefinitionProperty:MaterialDefinitionProperty*"
    " MaterialClassID:Identifier* MaterialLotSourceID:Identifier* TestSpecificationID:Identifier*"
    " AssemblyDefinition:MaterialDefinition* AssemblyType:AssemblyType? AssemblyRelationship:AssemblyRelationship?",
    "MaterialDefinitionProperty": "ID:Identifier Version:Identifier? Description:Text* PropertyType:ClassPropertyType?"
    " Value:Value* MaterialDefinitionPropertyChild:MaterialDefinitionProperty* MaterialClassPropertyID:Identifier?",
    "MaterialLot": "ID:Identifier Version:Identifier? Description:Text* PublishedDate:DateTime?~"
    " EffectiveStartDate:DateTime? EffectiveEndDate:DateTime? HierarchyScope:HierarchyScope?"
    " SpatialDefinition:SpatialDefinition? MaterialDefinitionID:Identifier? Status:Code? Disposition:Disposition?"
    " MaterialLotProperty:MaterialLotProperty* MaterialSubLot:MaterialSubLot* StorageLocation:ResourceLocation?"
    " Quantity:Quantity* TestSpecificationID:Identifier* AssemblyLot:MaterialLot* AssemblySubLot:MaterialSubLot*"
    " AssemblyType:AssemblyType? AssemblyRelationship:AssemblyRelationship?",
    "MaterialLotProperty": f"{_ABOUT} Value:Value* MaterialLotPropertyChild:MaterialLotProperty*"
    " MaterialDefinitionPropertyID:Identifier?",
    "MaterialSubLot": "ID:Identifier Version:Identifier? Description:Text* PublishedDate:DateTime?~"
    " EffectiveStartDate:DateTime? EffectiveEndDate:DateTime? HierarchyScope:HierarchyScope?"
    " SpatialDefinition:SpatialDefinition? Status:Code? Disposition:Disposition?"
    " MaterialLotProperty:MaterialLotProperty* StorageLocation:ResourceLocation? Quantity:Quantity*"
    " TestSpecificationID:Identifier* MaterialSubLotChild:MaterialSubLot* MaterialLotID:Identifier?"
    " AssemblyLot:MaterialLot* AssemblySubLot:MaterialSubLot* AssemblyType:AssemblyType?"
    " AssemblyRelationship:AssemblyRelationship?",
    # ---- equipment --------------------------------------------------------------------------------------------------
    "EquipmentInformation": f"{_ABOUT} HierarchyScope:HierarchyScope? PublishedDate:DateTime? Equipment:Equipment*"
    " EquipmentClass:EquipmentClass* TestSpecification:Opaque*",
    "Equipment": "ID:Identifier Version:Identifier? Description:Text* PublishedDate:DateTime?"
    " EffectiveStartDate:DateTime? EffectiveEndDate:DateTime? HierarchyScope:HierarchyScope?"
    " EquipmentLevel:EquipmentLevel? SpatialDefinition:SpatialDefinition?"
    " EquipmentAssetMapping:EquipmentAssetMapping* PhysicalAssetID:Identifier? OperationalLocation:ResourceLocation?"
    " EquipmentProperty:EquipmentProperty* EquipmentChild:Equipment* EquipmentClassID:Identifier*"
    " TestSpecificationID:Identifier*",
    "EquipmentProperty": f"{_ABOUT} Value:Value* EquipmentPropertyChild:EquipmentProperty*"
    " EquipmentClassPropertyID:Identifier?",
    "EquipmentClass": "ID:Identifier Version:Identifier? Description:Text* PublishedDate:DateTime?"
    " EffectiveStartDate:DateTime? EffectiveEndDate:DateTime? HierarchyScope:HierarchyScope?"
    " EquipmentLevel:EquipmentLevel? EquipmentClassProperty:EquipmentClassProperty*"
    " EquipmentClassChild:EquipmentClass* EquipmentClassBaseID:Identifier* EquipmentSourceID:Identifier*"
    " TestSpecificationID:Identifier*",
    "EquipmentClassProperty": f"{_ABOUT} PropertyType:ClassPropertyType? Value:Value*"
    " EquipmentClassPropertyChild:EquipmentClassProperty*",
}

VERBS: dict[str, tuple[str, str]] = {
    "Process": ("Acts", "acknowledgeCode"),
    "Change": ("Acts", "responseCode"),
    "Sync": ("Acts", ""),
    "Cancel": ("Acts", ""),
    "Show": ("Answers", ""),
    "Respond": ("Answers", ""),
    "Acknowledge": ("Answers", ""),
    "Get": ("Asks", ""),
}
"""Verb of a transaction -> type of its element, attribute of it that is Always or OnError."""

NOUNS: dict[str, tuple[str, ...]] = {
    "OperationsSchedule": ("OperationsRequest",),
    "OperationsPerformance": ("OperationsResponse",),
    "MaterialInformation": ("MaterialClass", "MaterialDefinition", "MaterialLot", "MaterialSubLot"),
    "MaterialClass": (),
    "MaterialDefinition": (),
    "MaterialLot": (),
    "EquipmentInformation": ("Equipment", "EquipmentClass"),
    "Equipment": (),
    "EquipmentClass": (),
}
"""Noun of a transaction -> the elements in it that are read one by one; none: the noun itself."""

BARE = (*NOUNS, "OperationsRequest", "OperationsResponse")
"""What may be the root of a document without an envelope."""


def _particle(text: str) -> Particle:
    is_nillable = text.endswith("~")
    text = text.removesuffix("~")
    least, most = {"?": (0, 1), "*": (0, UNBOUNDED), "+": (1, UNBOUNDED)}.get(text[-1], (1, 1))
    names, _colon, type_name = text.rstrip("?*+").partition(":")
    return Particle(tuple(names.split("|")), type_name, least, most, is_nillable)


COMPLEX: dict[str, Complex] = {
    name: Complex(tuple(_particle(one) for one in text.split())) for name, text in _TYPES.items()
}
for _verb, (_acts, _code) in VERBS.items():
    COMPLEX[f"{_verb}Verb"] = Complex(COMPLEX[_acts].particles, ((_code, False),) if _code else ())
for _noun in NOUNS:
    for _verb in VERBS:
        COMPLEX[f"{_verb}{_noun}Area"] = Complex(
            (_particle(f"{_verb}:{_verb}Verb"), _particle(f"{_noun}:{_noun}+")),
        )
        COMPLEX[f"{_verb}{_noun}"] = Complex(
            (_particle("ApplicationArea:ApplicationArea"), _particle(f"DataArea:{_verb}{_noun}Area")),
            (("releaseID", True), ("versionID", False)),
        )

ROOTS: dict[str, tuple[str, str]] = {name: ("", name) for name in BARE}
ROOTS |= {f"{verb}{noun}": (verb, noun) for verb in VERBS for noun in NOUNS}
"""Root element -> verb ("" for none), noun."""
