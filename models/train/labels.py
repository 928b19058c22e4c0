"""The 30 text labels of taxonomy v1, in the order of every head, file and table made here."""

LABELS = [
    "sexual.text", "sexual.image_request", "sexual.image_offer", "sexual.extortion",
    "grooming.age_probe", "grooming.secrecy", "grooming.isolation",
    "grooming.inducement", "grooming.romance", "grooming.meeting",
    "selfharm.expressed", "selfharm.encouraged", "selfharm.eating",
    "bullying.insult", "bullying.exclusion", "bullying.threat", "bullying.doxxing", "bullying.hate",
    "privacy.asks", "privacy.gives",
    "scam.fraud", "scam.payment_request",
    "market.account_trade", "market.like_service",
    "wellbeing.like_pressure", "wellbeing.compulsive_use",
    "danger.substances", "danger.challenge",
    "violence.threat_other", "spam.flood",
]
INDEX = {name: i for i, name in enumerate(LABELS)}
BULLYING = [INDEX[l] for l in LABELS if l.startswith("bullying.")]

# Labels where a miss costs more than a false alarm: their thresholds are set by recall first.
URGENT = [
    "sexual.image_request", "sexual.image_offer", "sexual.extortion",
    "grooming.secrecy", "grooming.meeting", "selfharm.expressed", "selfharm.encouraged",
    "violence.threat_other",
]
