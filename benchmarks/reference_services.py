"""Services that serving.py compares this service with, written as public services commonly are.

| app | what it does |
| --- | --- |
| `bare` | one async FastAPI route, 25 ready features, XGBoost with 300 trees of depth 6 |
| `frames` | three inputs through a pandas frame and a scaler to a logistic regression |
"""

from typing import Any

import numpy as np
import pandas as pd
import xgboost
from fastapi import FastAPI, Request
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(0)
bare, frames = FastAPI(), FastAPI()

X = rng.normal(size=(20_000, 25)).astype(np.float32)
y = (X[:, :5].sum(axis=1) + rng.normal(size=len(X)) > 2).astype(int)
booster = xgboost.train(
    {"objective": "binary:logistic", "max_depth": 6, "nthread": 1}, xgboost.DMatrix(X, y), num_boost_round=300
)
NAMES = ["income", "loan_amount", "credit_score"]
scaler = StandardScaler().fit(pd.DataFrame(X[:, :3], columns=pd.Index(NAMES)))
classifier = LogisticRegression().fit(scaler.transform(pd.DataFrame(X[:, :3], columns=pd.Index(NAMES))), y)


@bare.post("/predict")
async def predict_features(request: Request) -> dict[str, float]:
    features = np.array([(await request.json())["features"]], np.float32)
    return {"probability": float(booster.inplace_predict(features)[0])}


@frames.post("/predict")
def predict_frame(application: dict[str, Any]) -> dict[str, float]:
    frame = pd.DataFrame([application])[NAMES]
    return {"probability": float(classifier.predict_proba(scaler.transform(frame))[0, 1])}
