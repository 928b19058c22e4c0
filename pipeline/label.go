package pipeline

import "slices"

// Label names a harm of taxonomy v1.
type Label string

// The labels of taxonomy v1.
const (
	SexualExplicit     Label = "sexual.explicit"
	SexualSuggestive   Label = "sexual.suggestive"
	SexualText         Label = "sexual.text"
	SexualImageRequest Label = "sexual.image_request"
	SexualImageOffer   Label = "sexual.image_offer"
	SexualExtortion    Label = "sexual.extortion"

	GroomingAgeProbe   Label = "grooming.age_probe"
	GroomingSecrecy    Label = "grooming.secrecy"
	GroomingIsolation  Label = "grooming.isolation"
	GroomingInducement Label = "grooming.inducement"
	GroomingRomance    Label = "grooming.romance"
	GroomingMeeting    Label = "grooming.meeting"

	SelfharmExpressed  Label = "selfharm.expressed"
	SelfharmEncouraged Label = "selfharm.encouraged"
	SelfharmEating     Label = "selfharm.eating"

	BullyingInsult    Label = "bullying.insult"
	BullyingExclusion Label = "bullying.exclusion"
	BullyingThreat    Label = "bullying.threat"
	BullyingDoxxing   Label = "bullying.doxxing"
	BullyingHate      Label = "bullying.hate"

	PrivacyAsks  Label = "privacy.asks"
	PrivacyGives Label = "privacy.gives"

	ScamFraud          Label = "scam.fraud"
	ScamPaymentRequest Label = "scam.payment_request"

	MarketAccountTrade Label = "market.account_trade"
	MarketLikeService  Label = "market.like_service"

	WellbeingLikePressure  Label = "wellbeing.like_pressure"
	WellbeingCompulsiveUse Label = "wellbeing.compulsive_use"

	DangerSubstances Label = "danger.substances"
	DangerChallenge  Label = "danger.challenge"

	ViolenceThreatOther Label = "violence.threat_other"
	SpamFlood           Label = "spam.flood"

	UnsupportedGore    Label = "unsupported.gore"
	UnsupportedWeapons Label = "unsupported.weapons"
	UnsupportedDrugs   Label = "unsupported.drugs"
)

// TextLabels lists the 30 labels that text can carry, in the order in which
// scores are written.
var TextLabels = []Label{
	SexualText, SexualImageRequest, SexualImageOffer, SexualExtortion,
	GroomingAgeProbe, GroomingSecrecy, GroomingIsolation, GroomingInducement, GroomingRomance, GroomingMeeting,
	SelfharmExpressed, SelfharmEncouraged, SelfharmEating,
	BullyingInsult, BullyingExclusion, BullyingThreat, BullyingDoxxing, BullyingHate,
	PrivacyAsks, PrivacyGives,
	ScamFraud, ScamPaymentRequest,
	MarketAccountTrade, MarketLikeService,
	WellbeingLikePressure, WellbeingCompulsiveUse,
	DangerSubstances, DangerChallenge,
	ViolenceThreatOther, SpamFlood,
}

// ImageLabels lists the labels that pictures and video frames can carry.
var ImageLabels = []Label{SexualExplicit, SexualSuggestive}

// UnsupportedLabels lists the labels that no model claims. They exist so that
// policy can route a person's report of them.
var UnsupportedLabels = []Label{UnsupportedGore, UnsupportedWeapons, UnsupportedDrugs}

// Labels returns the whole taxonomy: image, text, then unsupported labels.
func Labels() []Label {
	return slices.Concat(ImageLabels, TextLabels, UnsupportedLabels)
}

// Known reports whether l is part of taxonomy v1.
func (l Label) Known() bool {
	return slices.Contains(ImageLabels, l) || slices.Contains(TextLabels, l) || slices.Contains(UnsupportedLabels, l)
}
